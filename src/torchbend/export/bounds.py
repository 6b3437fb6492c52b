"""Parts of a signal that are counted from its end: bounds that are computed from lengths become constants."""

from __future__ import annotations

from typing import Any

import torch
from torch.export import ExportedProgram

__all__ = ["constant_bounds"]

_END = 2**63 - 1


def constant_bounds(program: ExportedProgram) -> ExportedProgram:
    """Let each slice of a program count from the nearer end of its tensor where that makes its bounds
    numbers.

    A cache is the last frames of a signal. As it is written, its place is computed from the signal's length,
    in a dozen operations; counted from the end it is a number.
    """
    graph = program.graph_module.graph
    aten = torch.ops.aten
    for node in list(graph.nodes):
        if node.op != "call_function" or node.target not in (aten.narrow.default, aten.slice.Tensor):
            continue
        source = node.args[0]
        dim = node.args[1] if len(node.args) > 1 else 0
        size = source.meta["val"].shape[dim]
        first = node.args[2] if len(node.args) > 2 else None
        last = node.args[3] if len(node.args) > 3 else None
        if node.target is aten.narrow.default:
            last = _plus(_value(first), _value(last))
        if len(node.args) > 4 and node.args[4] != 1:
            continue
        start, end = _bound(_value(first), size, 0), _bound(_value(last), size, _END)
        if start is None or end is None:
            continue
        with graph.inserting_before(node):
            made = graph.call_function(aten.slice.Tensor, (source, dim, start, end))
        made.meta = dict(node.meta)
        node.replace_all_uses_with(made)
        graph.erase_node(node)
    graph.eliminate_dead_code()
    program.graph_module.recompile()
    return program


def _value(argument: Any) -> Any:
    return argument.meta["val"] if isinstance(argument, torch.fx.Node) else argument


def _plus(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a + b


def _bound(value: Any, size: Any, default: int) -> int | None:
    """A bound as a number; None where it has none."""
    if value is None:
        return default
    if isinstance(value, int):
        return value
    left = _number(size - value)
    if left is None:
        return None
    return _END if left == 0 else -left


def _number(symbolic: Any) -> int | None:
    """A symbolic size that is always the same number."""
    if isinstance(symbolic, int):
        return symbolic
    expression = symbolic.node.expr.expand()
    return int(expression) if expression.is_number else None
