"""Arithmetic on a control is a live expression; ranges and types are kept; a control never re-rolls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import torchbend as tb
from torchbend.errors import ControlError

from .models import seeded_linear

EXPRESSIONS: dict[str, Callable[[Any], Any]] = {
    "2*c": lambda c: 2 * c,
    "c*2": lambda c: c * 2,
    "c+1": lambda c: c + 1,
    "1+c": lambda c: 1 + c,
    "1-c": lambda c: 1 - c,
    "c-1": lambda c: c - 1,
    "-c": lambda c: -c,
    "c/2": lambda c: c / 2,
    "2/c": lambda c: 2 / c,
    "c//2": lambda c: c // 2,
    "c%2": lambda c: c % 2,
    "c**2": lambda c: c**2,
    "nested": lambda c: (1 - 2 * c) / (c + 3) - -c,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("kind", [float, int])
def test_an_expression_follows_its_control(name: str, kind: type) -> None:
    make = EXPRESSIONS[name]
    control = tb.BendingParameter("c", kind(3))
    model = seeded_linear(3, 3)
    x = torch.ones(1, 3)
    bended = tb.BendedModule(model)
    bended.trace(x)
    bended.bend(tb.Scale(make(control)), "0.weight", "_0$")
    for value in (3, 5, -2):
        bended.update("c", value)
        factor = make(kind(value))
        wanted = model[0].weight * factor
        assert torch.allclose(bended.bended_weights()["0.weight"], wanted)
        out = torch.nn.functional.linear(x, wanted, model[0].bias) * factor
        assert torch.allclose(bended(x), out, rtol=1e-5)


def test_an_expression_of_two_controls_follows_both() -> None:
    a, b = tb.BendingParameter("a", 2.0), tb.BendingParameter("b", 3.0)
    model = seeded_linear(3, 3)
    bended = tb.BendedModule(model)
    bended.bend(tb.Scale(a * b + 1), "0.weight")
    assert sorted(bended.controllables) == ["a", "b"]
    bended.update("a", 4.0)
    bended.update("b", 0.5)
    assert torch.equal(bended.bended_weights()["0.weight"], model[0].weight * 3.0)


@pytest.mark.parametrize(
    ("value", "other", "refused"),
    [(0.5, 2, "loud"), (2, 7, 0.5), (True, False, 2), (1 + 2j, 3.0, "loud")],
)
def test_float_int_bool_and_complex_keep_their_type(value: Any, other: Any, refused: Any) -> None:
    control = tb.BendingParameter("c", value)
    kind = type(value)
    assert type(control.get_python_value()) is kind and control.get_python_value() == value
    control.set_value(other)
    assert type(control.get_python_value()) is kind and control.get_python_value() == kind(other)
    with pytest.raises(ControlError):
        control.set_value(refused)
    assert control.get_python_value() == kind(other)


def test_bool_and_complex_controls_bend() -> None:
    model = seeded_linear(3, 3)
    bended = tb.BendedModule(model)
    switch, turn = tb.BendingParameter("on", True), tb.BendingParameter("turn", 0 + 1j)
    bended.bend(tb.Scale(switch), "0.weight")
    assert torch.equal(bended.bended_weights()["0.weight"], model[0].weight)
    bended.update("on", False)
    assert torch.equal(bended.bended_weights()["0.weight"], torch.zeros(3, 3))
    assert torch.equal(tb.Scale(turn)(torch.ones(2)), torch.full((2,), 1j))


def test_a_range_is_kept_or_clamped() -> None:
    strict = tb.BendingParameter("s", 0.5, range=[0.0, 1.0])
    with pytest.raises(ControlError, match="range"):
        strict.set_value(1.5)
    assert strict.get_value() == 0.5 and (2 * strict).get_value() == 1.0
    soft = tb.BendingParameter("c", 0.5, range=[0.0, 1.0], clamp=True)
    soft.set_value(7.0)
    assert soft.get_value() == 1.0
    soft.set_value(-7.0)
    assert soft.get_value() == 0.0


@pytest.mark.parametrize(
    "callback",
    [
        lambda c: tb.Mask(c, seed=3),
        lambda c: tb.OrderedMask(c, seed=3),
        lambda c: tb.Normal(c, seed=3),
        lambda c: tb.ThresholdPermute(c, seed=3),
    ],
    ids=["Mask", "OrderedMask", "Normal", "ThresholdPermute"],
)
def test_a_control_never_rolls_the_dice_again(callback: Callable[[Any], tb.BendingCallback]) -> None:
    model = seeded_linear(16, 16)
    control = tb.BendingParameter("c", 0.5)
    bended = tb.BendedModule(model)
    bended.bend(callback(control), "0.weight")
    first = bended.bended_weights()["0.weight"].clone()
    bended.update("c", 0.25)
    other = bended.bended_weights()["0.weight"].clone()
    assert not torch.equal(other, first)
    bended.update("c", 0.5)
    assert torch.equal(bended.bended_weights()["0.weight"], first)


def test_normal_scales_one_draw() -> None:
    model = seeded_linear(16, 16)
    control = tb.BendingParameter("c", 1.0)
    bended = tb.BendedModule(model)
    bended.bend(tb.Normal(control, seed=3), "0.weight")
    noise = bended.bended_weights()["0.weight"] - model[0].weight
    bended.update("c", 0.5)
    halved = bended.bended_weights()["0.weight"] - model[0].weight
    assert torch.allclose(halved, noise / 2, atol=1e-6)


@pytest.mark.parametrize("make", [tb.Mask, tb.OrderedMask])
def test_masks_are_nested(make: type[tb.BendingCallback]) -> None:
    x = torch.ones(64, 64)
    model = torch.nn.Linear(64, 64)
    with torch.no_grad():
        model.weight.copy_(x)

    def kept(prob: float) -> Tensor:
        bended = tb.BendedModule(model)
        bended.bend(make(prob, seed=5), "weight")
        return bended.bended_weights()["weight"] != 0

    quarter, half, most = kept(0.25), kept(0.5), kept(0.9)
    assert bool((quarter <= half).all()) and bool((half <= most).all())
    if make is tb.OrderedMask:
        assert [int(m.sum()) for m in (quarter, half)] == [1024, 2048]
    else:
        assert abs(int(quarter.sum()) - 1024) < 120


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: tb.Mask(0.5, seed=seed),
        lambda seed: tb.OrderedMask(0.5, seed=seed),
        lambda seed: tb.Normal(0.5, seed=seed),
        lambda seed: tb.Permute(0, seed=seed),
    ],
    ids=["Mask", "OrderedMask", "Normal", "Permute"],
)
def test_same_seed_same_result(make: Callable[[int], tb.BendingCallback]) -> None:
    def bent(seed: int, name: str = "0.weight") -> Tensor:
        bended = tb.BendedModule(seeded_linear(16, 16, 16))
        bended.bend(make(seed), name)
        return bended.bended_weights()[name].clone()

    torch.manual_seed(1)
    first = bent(7)
    torch.manual_seed(2)
    assert torch.equal(bent(7), first)
    assert not torch.equal(bent(8), first)


def test_sites_draw_apart() -> None:
    model = seeded_linear(16, 16, 16)
    bended = tb.BendedModule(model)
    bended.bend(tb.Normal(0.5, seed=7), ".*weight")
    noise = {n: t - model.get_parameter(n) for n, t in bended.bended_weights().items()}
    assert not torch.allclose(noise["0.weight"], noise["1.weight"], atol=1e-3)
