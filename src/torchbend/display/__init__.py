"""Tables as text and HTML, the module tree, comparisons, and the output mode."""

from torchbend.display.atomic import replacing, write_text
from torchbend.display.compare import (
    ComparisonResult,
    Difference,
    compare_outs,
    compare_state_dict_tensors,
)
from torchbend.display.graph import graph_table
from torchbend.display.output import debug, get_output, log_error, log_warning, set_output, using_output
from torchbend.display.table import Table, emit
from torchbend.display.tree import SiteRow, module_tree_html, sites_html
from torchbend.display.weights import WeightStatistics, weight_statistics, weights_table

__all__ = [
    "ComparisonResult",
    "Difference",
    "SiteRow",
    "Table",
    "WeightStatistics",
    "compare_outs",
    "compare_state_dict_tensors",
    "debug",
    "emit",
    "get_output",
    "graph_table",
    "log_error",
    "log_warning",
    "module_tree_html",
    "replacing",
    "set_output",
    "sites_html",
    "using_output",
    "weight_statistics",
    "weights_table",
    "write_text",
]
