"""Graphs as rows that can be compared: ours, and those of torch.fx's own symbolic tracer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

Row = tuple[str, str, Any, str, str]


def rows(graph: fx.Graph) -> list[Row]:
    """Opcode, name, target, args and kwargs of each node; nodes in arguments are written by their name."""

    def named(value: Any) -> str:
        return str(fx.node.map_arg(value, lambda node: f"%{node.name}"))

    return [(n.op, n.name, n.target, named(n.args), named(n.kwargs)) for n in graph.nodes]


def symbolic_rows(module: nn.Module) -> list[Row]:
    """The rows of ``torch.fx.symbolic_trace(module)``."""
    return rows(fx.symbolic_trace(module).graph)


class Program(nn.Module):
    """A module whose forward is a function of one tensor, and a second one that it holds.

    Shape: x [4, 6].
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.w = nn.Parameter(torch.randn(6, 6))

    def forward(self, x: Tensor) -> Any:
        return self.function(x, self)
