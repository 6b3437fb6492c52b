"""Attributes are set as the host sets them; each way in which that can go wrong is told."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.export_check.modules import FACTS, Echo
from torch import Tensor, nn


class SetterFails(Echo):
    @torch.jit.export
    def set_gain(self, value: float) -> int:
        raise ValueError("not today")


class SaysOne(Echo):
    @torch.jit.export
    def set_gain(self, value: float) -> int:
        self.gain.copy_(torch.tensor(value))
        return 1


class Forgets(Echo):
    @torch.jit.export
    def set_gain(self, value: float) -> int:
        return 0


class Bare(Echo):
    @torch.jit.export
    def get_gain(self) -> float:
        return float(self.gain)


class Two(Echo):
    @torch.jit.export
    def get_gain(self) -> tuple[float, float]:
        return (float(self.gain), 0.0)


class TakesAll(Echo):
    @torch.jit.export
    def set_gain(self, value: float) -> int:
        self.gain.copy_(torch.tensor(value))
        return 0


class TakesNan(Echo):
    @torch.jit.export
    def set_gain(self, value: float) -> int:
        if value < 0.0 or value > 2.0:
            return 1
        self.gain.copy_(torch.tensor(value))
        return 0


class HalfDone(Echo):
    """Refuses after it has written."""

    @torch.jit.export
    def set_gain(self, value: float) -> int:
        self.gain.copy_(torch.tensor(min(max(value, 0.0), 2.0)))
        return 0 if value >= 0.0 and value <= 2.0 else 1


class Reassigned(Echo):
    """The method re-assigns what the setter then changes in place."""

    def forward(self, x: Tensor) -> Tensor:
        self.gain = self.gain * 1.0
        return self.gain * x


class Silences(Echo):
    """At the end of its range it gives infinity."""

    def forward(self, x: Tensor) -> Tensor:
        return x / self.gain


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (SetterFails, "not today"),
        (SaysOne, "does not take a value of its range"),
        (Forgets, "another value than was set"),
        (Bare, "return (gain,)"),
        (Two, "another number of values"),
        (TakesAll, "takes a value out of its range"),
        (TakesNan, "takes a value out of its range"),
        (HalfDone, "another one is held now"),
        (Reassigned, "outside of inference mode"),
        (Silences, "NaN or infinity"),
    ],
)
def test_a_wrong_attribute_is_told(checked: Callable[..., Any], module: type[nn.Module], said: str) -> None:
    checked(module(), blocks=(64,)).only("attributes", said)


class Clamps(Echo):
    @torch.jit.export
    def set_gain(self, value: float) -> int:
        if math.isnan(value):
            return 1
        self.gain.copy_(torch.tensor(min(max(value, 0.0), 2.0)))
        return 0


class Raises(Echo):
    @torch.jit.export
    def set_gain(self, value: float) -> int:
        if not (value >= 0.0 and value <= 2.0):
            raise ValueError("out of range")
        self.gain.copy_(torch.tensor(value))
        return 0


@pytest.mark.parametrize("module", [Clamps, Raises])
def test_what_is_out_of_range_may_be_clamped_or_refused(
    checked: Callable[..., Any], module: type[nn.Module]
) -> None:
    assert not checked(module(), blocks=(64,)).failures


def test_without_a_range_the_present_value_is_set(checked: Callable[..., Any]) -> None:
    facts = {name: value for name, value in FACTS.items() if name != "controls"}
    assert not checked(Echo(), facts, blocks=(64,)).failures


class Several(Echo):
    """A flag, a number and a text in one attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.gain_params = torch.tensor([0, 1, 3])
        self.flag, self.count, self.word = False, 3, "a"

    @torch.jit.export
    def get_gain(self) -> tuple[bool, int, str]:
        return (self.flag, self.count, self.word)

    @torch.jit.export
    def set_gain(self, flag: bool, count: int, word: str) -> int:
        if count < 0 or count > 2:
            return -1
        self.flag = flag
        self.count = count
        self.word = word
        return 0


def test_flags_numbers_and_texts(checked: Callable[..., Any]) -> None:
    module = Several()
    module.count = 1
    outcome = checked(module, blocks=(64,))
    assert not outcome.failures
    assert [f.message for f in outcome.findings] == ["Pure Data sets a bool to true by any number, even 0"]
