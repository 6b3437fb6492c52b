"""The model's own code runs; a replayed graph refuses another branch; sizes stay symbolic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.zoo import nets_program as programs
from torch import Tensor, nn

import torchbend as tb
from torchbend.errors import ReplayError


class _Branches(nn.Module):
    """Branches on values and on sizes, loops over sizes. Shape: x [B, T]."""

    def forward(self, x: Tensor) -> Tensor:
        y = x.sin()
        if x.sum() > 0:
            y = y + 1
        if x.shape[-1] > 4:
            y = y * 2
        for k in range(x.shape[0]):
            y = y + k
        return y


ONES = torch.ones(2, 4)
OTHERS: dict[str, Tensor] = {"value": -ONES, "size": torch.ones(2, 6), "loop": torch.ones(3, 4)}


@pytest.mark.parametrize("other", OTHERS)
def test_another_branch_gives_the_right_answer(other: str) -> None:
    model = _Branches()
    bended = tb.BendedModule(model)
    bended.trace(ONES)
    bended.bend(tb.Scale(3.0), "sin$")
    x = OTHERS[other]
    assert torch.allclose(bended(x), model(x) + 2 * x.sin() * (2 if x.shape[-1] > 4 else 1), atol=1e-6)


@pytest.mark.parametrize("other", OTHERS)
def test_a_replayed_graph_refuses_another_branch(other: str) -> None:
    model = _Branches()
    bended = tb.BendedModule(model)
    bended.trace(ONES)
    graph = bended.graph_module()
    assert torch.equal(graph(ONES), model(ONES))
    assert torch.equal(graph(ONES / 2), model(ONES / 2))
    x = OTHERS[other]
    with pytest.raises(ReplayError, match="does not cover"):
        graph(x)
    with pytest.raises(ReplayError, match="does not cover"):
        bended.from_activations("x", x=x)


class _Constants(nn.Module):
    """Constants made on the way, and slices of a buffer. Shape: x [B, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.arange(8.0))

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
        return x * weights + self.table[2:6] + self.table[torch.tensor([0, 1, 2, 3])]


@pytest.mark.parametrize("build", [_Constants, programs.ConstantsInGraph])
def test_constants_are_constants_of_the_graph(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = build().eval()
    bended = tb.BendedModule(model)
    bended.trace(torch.ones(2, 4))
    for x in (torch.ones(2, 4), torch.randn(5, 4)):
        assert torch.equal(bended.graph_module()(x), model(x))
        assert torch.equal(bended.from_activations("x", x=x), model(x))
    bended.bend(tb.Scale(2.0), "add_1$" if build is _Constants else "add.*")
    out, plain = bended(torch.ones(2, 4)), model(torch.ones(2, 4))
    assert torch.equal(out, 2 * plain) if build is _Constants else not torch.equal(out, plain)


class _Factories(nn.Module):
    """Factories of traced sizes. Shape: x [B, T] -> [B, T + 1]."""

    def forward(self, x: Tensor) -> Tensor:
        batch, length = x.shape
        edge = torch.zeros(batch, 1) + torch.ones(batch).unsqueeze(-1) * length
        ramp = torch.arange(length) + torch.full((batch, length), 0.5)
        return torch.cat([x + ramp, edge], dim=-1) + torch.empty(batch, 1).fill_(2)


@pytest.mark.parametrize("shape", [(2, 4), (5, 4), (2, 9), (1, 1)])
def test_factories_of_traced_sizes_stay_symbolic(shape: tuple[int, int]) -> None:
    model = _Factories()
    bended = tb.BendedModule(model)
    bended.trace(torch.randn(2, 4))
    x = torch.randn(shape)
    assert torch.equal(bended.graph_module()(x), model(x))
    zeros = next(n for n in bended.graph().nodes if n.name == "zeros")
    assert [getattr(a, "name", a) for a in zeros.args] == ["getitem", 1]


CALLS: dict[str, Callable[[Any, Tensor], Any]] = {
    "trace(x)": lambda bended, x: bended.trace(x),
    "trace(name=x)": lambda bended, x: bended.trace(input=x),
    'trace("forward", x)': lambda bended, x: bended.trace("forward", x),
    'trace("forward", name=x)': lambda bended, x: bended.trace("forward", input=x),
    "trace(fn=, name=x)": lambda bended, x: bended.trace(fn="forward", input=x),
    "trace(x, fn=)": lambda bended, x: bended.trace(x, fn="forward"),
}


@pytest.mark.parametrize("how", CALLS)
def test_every_way_to_give_inputs_to_trace(how: str) -> None:
    """``nn.Sequential`` calls its argument ``input``."""
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    x = torch.randn(2, 4)
    bended = tb.BendedModule(model)
    graph = CALLS[how](bended, x)
    assert [n.name for n in graph.nodes] == ["input_1", "_0", "_1", "output"]
    assert torch.equal(bended.get_activations("_1$", input=x)["_1"], model(x))
    bended.bend(tb.Scale(2.0), "_0$")
    assert torch.equal(bended(x), torch.relu(model[0](x) * 2))


def test_trace_of_a_method_by_position_and_by_name() -> None:
    class Coder(nn.Module):
        def encode(self, x: Tensor, gain: float = 1.0) -> Tensor:
            return x.tanh() * gain

    x = torch.ones(3)
    for args, kwargs in (
        (("encode", x), {}),
        ((), {"fn": "encode", "x": x}),
        (("encode",), {"x": x, "gain": 1.0}),
    ):
        bended = tb.BendedModule(Coder())
        bended.trace(*args, **kwargs)
        assert bended.is_traced("encode") and not bended.is_traced()
        bended.bend(tb.Scale(2.0), "encode:tanh$")
        assert torch.equal(bended.encode(x), x.tanh() * 2)


def test_an_argument_called_input_or_fn_like() -> None:
    torch.manual_seed(0)
    model = programs.ArgumentNamedInput()
    values = {"input": torch.randn(2, 8), "target": torch.randn(2, 8)}
    bended = tb.BendedModule(model)
    bended.trace(**values)
    assert torch.equal(bended.graph_module()(*values.values()), model(**values))
    found = bended.get_activations("linear$", **values)["linear"]
    assert torch.equal(found, model.linear(values["input"]))
