"""A module that was compiled can be traced and bent: its Python code runs meanwhile."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.lin(x))


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dynamo's own, on hooks
        yield
    torch._dynamo.reset()


def compiled(way: str, net: Net) -> nn.Module:
    if way == "wrapped":
        return torch.compile(net, backend="eager")  # type: ignore[return-value]
    if way == "part":
        net.lin.compile(backend="eager")
    else:
        net.compile(backend="eager")
    return net


@pytest.mark.parametrize("way", ["wrapped", "itself", "part"])
def test_weights_and_activations_of_a_compiled_module(way: str) -> None:
    net, x = Net(), torch.ones(1, 2)
    model = compiled(way, net)
    plain = model(x)
    bended = tb.BendedModule(model)
    bended.trace(x)
    bended.bend(tb.Bias(1.0), "sin")
    assert torch.equal(bended(x), plain + 1)
    bended.reset()
    bended.bend(tb.Bias(1.0), ".*lin$")
    bended.bend(tb.Scale(2.0), ".*lin.weight")
    with torch.no_grad():
        wanted = torch.sin(nn.functional.linear(x, 2 * net.lin.weight, net.lin.bias) + 1)
        assert torch.equal(bended(x), wanted)
        assert torch.equal(bended.get_activations("sin", x=x)["sin"], wanted)
    bended.reset()
    assert torch.equal(bended(x), plain)
    assert torch.equal(model(x), plain)


def test_a_compiled_function_inside() -> None:
    @torch.compile(backend="eager")
    def wave(x: Tensor) -> Tensor:
        return torch.sin(x)

    class Calls(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return wave(x) + 1

    x = torch.ones(2)
    wave(x)
    bended = tb.BendedModule(Calls())
    bended.trace(x)
    assert "sin" in bended.activation_names()
