"""A parameter of a callback that is set by hand after bending is in force at the next call."""

from __future__ import annotations

import pytest
import torch

import torchbend as tb


@pytest.fixture
def linear() -> torch.nn.Linear:
    return torch.nn.Linear(3, 3, bias=False)


def test_a_bent_weight_follows_the_attribute(linear: torch.nn.Linear) -> None:
    bended, scale, x = tb.BendedModule(linear), tb.Scale(2.0), torch.ones(1, 3)
    bended.bend(scale, "weight")
    with torch.no_grad():
        assert torch.equal(bended(x), linear(x) * 2)
        scale.scale = 4.0
        assert torch.equal(bended(x), linear(x) * 4)


def test_inner_callbacks_count_too(linear: torch.nn.Linear) -> None:
    inner, x = tb.Scale(2.0), torch.ones(1, 3)
    bended = tb.BendedModule(linear)
    bended.bend(tb.Blend(tb.Scale(1.0) >> inner, mix=1.0), "weight")
    with torch.no_grad():
        bended(x)
        inner.scale = 8.0
        assert torch.equal(bended(x), linear(x) * 8)


def test_a_control_put_in_later_is_live(linear: torch.nn.Linear) -> None:
    bended, scale, x = tb.BendedModule(linear), tb.Scale(2.0), torch.ones(1, 3)
    bended.bend(scale, "weight")
    with torch.no_grad():
        bended(x)
        scale.scale = tb.BendingParameter("gain", 1.0)
        assert torch.equal(bended(x), linear(x))
        bended.update("gain", 4.0)
        assert torch.equal(bended(x), linear(x) * 4)


def test_another_seed_draws_again() -> None:
    bended, x = tb.BendedModule(torch.nn.Linear(32, 1, bias=False)), torch.eye(32)
    mask = tb.Mask(0.5, seed=1)
    bended.bend(mask, "weight")
    with torch.no_grad():
        first = bended(x)
        mask.seed = 2
        second = bended(x)
        mask.seed = 1
        assert not torch.equal(first, second)
        assert torch.equal(bended(x), first)


def test_nothing_is_computed_again_without_a_change(linear: torch.nn.Linear) -> None:
    class Counting(tb.BendingCallback):
        controllable_params = ("gain",)

        def __init__(self, gain: float = 2.0) -> None:
            super().__init__()
            self.register_controllable("gain", gain)
            self.count = 0

        def bend(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            self.count += 1
            return x * self.get("gain")

    bended, counting = tb.BendedModule(linear), Counting()
    bended.bend(counting, "weight")
    with torch.no_grad():
        for _ in range(3):
            bended(torch.ones(1, 3))
        assert counting.count == 1
        counting.gain = 3.0
        bended(torch.ones(1, 3))
        assert counting.count == 2


def test_the_revision_starts_still_and_counts_settings() -> None:
    scale = tb.Scale(2.0)
    before = scale.revision
    scale.scale = 3.0
    assert scale.revision == before + 1
    scale.writes_in_place = True
    assert scale.revision == before + 1
