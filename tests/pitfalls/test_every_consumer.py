"""A bent activation reaches every consumer, in whatever way and method it is taken."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import torchbend as tb

from .models import Doubled, Twice


def _reference(x: Tensor, how: str) -> Any:
    """`Doubled` with its sine times 3 (and ``cos`` as it is)."""
    sin, cos = torch.sin(x) * 3, torch.cos(x)
    if how == "index":
        cos[..., 0] = sin[..., 1]
        return cos
    return {
        "cat": torch.cat([sin, cos], dim=-1),
        "tuple": torch.stack((sin, cos)),
        "keyword": cos + sin,
        "dict": {"a": sin, "b": [cos, {"c": sin}]},
        "einsum": (sin * cos).sum(-1),
        "output": sin,
    }[how]


@pytest.mark.parametrize("how", ["cat", "tuple", "keyword", "dict", "einsum", "index", "output"])
def test_every_consumer_sees_the_bent_activation(how: str) -> None:
    x = torch.linspace(-1, 1, 8).reshape(2, 4)
    bended = tb.BendedModule(Doubled())
    bended.trace(x, how=how)
    bended.bend(tb.Scale(3.0), "sin$")
    found, wanted = bended(x, how=how), _reference(x, how)
    if how == "dict":
        assert torch.equal(found["a"], wanted["a"])
        assert torch.equal(found["b"][0], wanted["b"][0])
        assert torch.equal(found["b"][1]["c"], wanted["a"])
    else:
        assert torch.allclose(found, wanted, atol=1e-7)
    # and the same by starting from the activation
    again = bended.from_activations("sin", fn="forward", x=x, sin=torch.sin(x))
    first = again["a"] if how == "dict" else again
    assert torch.allclose(first, wanted["a"] if how == "dict" else wanted, atol=1e-7)


def test_a_method_that_calls_self_forward_runs_bent() -> None:
    model = Twice()
    x = torch.ones(1, 4)
    bended = tb.BendedModule(model)
    bended.bend(tb.Scale(2.0), "layer.weight")
    layer = torch.nn.functional.linear(x, 2 * model.layer.weight, model.layer.bias)
    assert torch.allclose(bended.encode(x), layer.tanh() + 1)
    bended.reset()
    bended.trace(x)
    bended.bend(tb.Scale(2.0), "tanh$")
    assert torch.equal(bended.encode(x), model(x) * 2 + 1)


def test_a_method_that_calls_the_module_is_bent_at_each_step() -> None:
    model = Twice()
    x = torch.ones(1, 4)
    bended = tb.BendedModule(model)
    bended.trace(x)
    bended.bend(tb.Scale(2.0), "tanh$")
    wanted = x
    for made in bended.generate(x, steps=4):
        wanted = model(wanted) * 2
        assert torch.equal(made, wanted)
