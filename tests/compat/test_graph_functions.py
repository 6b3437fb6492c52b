"""Graphs that end earlier, start later, or hold callbacks, run as modules."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, fx, nn

import torchbend as tb
from torchbend.errors import SiteNotFoundError
from torchbend.tracing import graph_from_activations, graph_get_activations, graph_insert_callbacks


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        z = torch.sin(self.linear(x))
        kept = torch.zeros_like(z)
        kept[0] = z[0] * 2
        return torch.cat([z, kept], -1) + torch.tanh(y)


X, Y = torch.randn(2, 3), torch.randn(2, 6)


@pytest.fixture
def bended() -> tb.BendedModule:
    bended = tb.BendedModule(Net())
    bended.trace(X, Y)
    return bended


def run(module: nn.Module, graph: fx.Graph, *inputs: Tensor) -> object:
    return fx.GraphModule(module, graph)(*inputs)


def test_a_graph_ends_at_activations_in_the_order_asked(bended: tb.BendedModule) -> None:
    graph = graph_get_activations(bended.graph(), ["sin", "linear"])
    sine, linear = run(bended.module, graph, X, Y)
    assert torch.equal(linear, bended.module.linear(X))
    assert torch.equal(sine, torch.sin(linear))
    assert "tanh" not in [node.name for node in graph.nodes]


def test_a_graph_starts_from_activations(bended: tb.BendedModule) -> None:
    graph = graph_from_activations(bended.graph(), ["sin"])
    assert [n.name for n in graph.nodes if n.op == "placeholder"] == ["sin", "y"]
    sine = torch.sin(bended.module.linear(X))
    assert torch.equal(run(bended.module, graph, sine, Y), bended(X, Y))
    kept = graph_from_activations(bended.graph(), ["sin"], remove_placeholders=False)
    assert [n.name for n in kept.nodes if n.op == "placeholder"] == ["sin", "x", "y"]


def test_callbacks_are_put_into_a_graph(bended: tb.BendedModule) -> None:
    before = str(bended.graph())
    graph = graph_insert_callbacks(bended.graph(), {"sin": tb.Scale(2.0)}, fn="forward")
    holder = tb.BendedModule.copy(bended.module)
    holder.forward_sin_callback = tb.Scale(2.0)
    bent = run(holder, graph, X, Y)
    assert str(bended.graph()) == before
    bended.bend(tb.Scale(2.0), "sin")
    assert torch.equal(bent, bended(X, Y))


def test_an_unknown_name_is_told(bended: tb.BendedModule) -> None:
    with pytest.raises(SiteNotFoundError, match="cos"):
        graph_get_activations(bended.graph(), ["cos"])
