"""The table of a torch.fx graph."""

from __future__ import annotations

from collections.abc import Iterable

from torch.fx import Graph, Node

from torchbend.display.table import Table

__all__ = ["graph_table"]


def graph_table(graph: Graph, nodes: Iterable[Node] | None = None) -> Table:
    """The nodes of a graph with the columns and the text of ``Graph.print_tabular``.

    Needs no further package, where torch.fx's own method needs ``tabulate``.

    Args:
        graph: the graph.
        nodes: the nodes to list, in this order; all nodes of ``graph`` by default.

    Returns:
        A table with the columns opcode, name, target, args and kwargs, one row for each node.

    >>> from torch import nn
    >>> from torch.fx import symbolic_trace
    >>> print(graph_table(symbolic_trace(nn.Sequential(nn.Tanh())).graph))
    opcode       name     target    args        kwargs
    -----------  -------  --------  ----------  --------
    placeholder  input_1  input     ()          {}
    call_module  _0       0         (input_1,)  {}
    output       output   output    (_0,)       {}
    """
    listed = graph.nodes if nodes is None else nodes
    rows = [[node.op, node.name, str(node.target), str(node.args), str(node.kwargs)] for node in listed]
    return Table(("opcode", "name", "target", "args", "kwargs"), rows)
