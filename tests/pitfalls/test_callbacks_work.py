"""Every callback works with its defaults, with numbers, with controls, alone and chained."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import torchbend as tb

CALLBACKS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "Scale": (tb.Scale, tb.Scale),
    "Bias": (tb.Bias, tb.Bias),
    "Affine": (tb.Affine, lambda c: tb.Affine(c, c)),
    "Mask": (tb.Mask, tb.Mask),
    "OrderedMask": (tb.OrderedMask, tb.OrderedMask),
    "ThresholdActivation": (tb.ThresholdActivation, tb.ThresholdActivation),
    "Normal": (tb.Normal, tb.Normal),
    "Permute": (tb.Permute, lambda c: tb.Permute(1)),
    "ThresholdPermute": (tb.ThresholdPermute, tb.ThresholdPermute),
}


@pytest.mark.parametrize("name", CALLBACKS)
@pytest.mark.parametrize("how", ["defaults", "number", "control", "chained"])
def test_every_callback_works(name: str, how: str) -> None:
    default, given = CALLBACKS[name]
    control = tb.BendingParameter("c", 0.5)
    callback = {
        "defaults": default,
        "number": lambda: given(0.5),
        "control": lambda: given(control),
        "chained": lambda: given(control) >> given(control),
    }[how]()
    torch.manual_seed(0)
    model = nn.Conv1d(4, 4, 3, padding=1)
    bended = tb.BendedModule(model)
    for length in (8, 12):
        x = torch.randn(2, 4, length)
        plain = model(x)
        if not bended.is_traced():
            bended.trace(x)
            assert "conv1d" in bended.activation_names()
            bended.bend(callback, "weight$", "conv1d$")
        out = bended(x)
        assert out.shape == plain.shape and bool(torch.isfinite(out).all())
        # Scale, Bias, Affine do nothing by their defaults; everything else shows
        neutral = how == "defaults" and name in ("Scale", "Bias", "Affine")
        assert torch.allclose(out, plain, atol=1e-6) == neutral
    assert name in repr(callback) and (how != "control" or name == "Permute" or "'c'" in repr(callback))
    bended.reset()
    assert torch.equal(bended(x), plain)


def test_two_scales_of_one_control_in_a_chain() -> None:
    control = tb.BendingParameter("c", 3.0)
    model = nn.Linear(2, 2)
    bended = tb.BendedModule(model)
    bended.bend(tb.Scale(control) >> tb.Scale(control), "weight")
    assert torch.equal(bended.bended_weights()["weight"], model.weight * 3.0 * 3.0)
    bended.update("c", 0.5)
    assert torch.equal(bended.bended_weights()["weight"], model.weight * 0.25)


def test_affine_takes_the_bias_first() -> None:
    assert list(inspect.signature(tb.Affine).parameters)[:2] == ["bias", "scale"]
    assert torch.equal(tb.Affine(10.0, 2.0)(torch.ones(3)), torch.full((3,), 12.0))
    assert "bias comes first" in str(tb.Affine.__doc__)


def test_mask_keeps_with_the_probability_given() -> None:
    model = nn.Linear(200, 200)
    bended = tb.BendedModule(model)
    bended.bend(tb.Mask(0.9, seed=0), "weight")
    share = (bended.bended_weights()["weight"] != 0).float().mean().item()
    assert abs(share - 0.9) < 0.01
    assert "keep" in str(tb.Mask.__doc__).lower()


@pytest.mark.parametrize("make", [tb.Mask, tb.OrderedMask])
def test_a_mask_on_an_activation_serves_every_length(make: type[tb.BendingCallback]) -> None:
    torch.manual_seed(0)
    model = nn.Conv1d(2, 8, 3, padding=1)
    bended = tb.BendedModule(nn.Sequential(model))
    bended.trace(torch.randn(1, 2, 16))
    bended.bend(make(0.5, seed=1), "_0$")
    silent = None
    for batch, length in ((1, 16), (1, 31), (3, 16), (2, 5)):
        x = torch.randn(batch, 2, length)
        out, plain = bended(x), model(x)
        zero = (out == 0).all(dim=-1).all(dim=0)
        silent = zero if silent is None else silent
        assert torch.equal(zero, silent) and 0 < int(zero.sum()) < 8
        assert torch.equal(out, plain.masked_fill(zero[None, :, None], 0))
