"""State: empty at first, of one size, and the same sound whatever the blocks are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from tests.export_check.modules import Echo
from torch import Tensor


def test_a_cache_that_holds_something_is_told(checked: Callable[..., Any]) -> None:
    module = Echo()
    module.cache.copy_(torch.randn(4, 1, 100))
    found = checked(module, blocks=(64,)).only("state", "reset the state")
    assert found.where == "cache"


def test_a_state_of_one_number_is_no_left_over(checked: Callable[..., Any]) -> None:
    class Mean(Echo):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("spread", torch.ones(4, 8))

        def forward(self, x: Tensor) -> Tensor:
            self.spread.mul_(0.99)
            return x * 1

    assert not checked(Mean(), blocks=(64,)).failures


class Grows(Echo):
    """Remembers all that it heard, in an attribute that is no buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Tensor] = [torch.zeros(1, 1, 1)]

    def forward(self, x: Tensor) -> Tensor:
        self.heard.append(x.clone())
        return x * 1


def test_a_state_that_grows_is_told(checked: Callable[..., Any]) -> None:
    class GrowingBuffer(Echo):
        def forward(self, x: Tensor) -> Tensor:
            self.cache = torch.cat([self.cache, torch.zeros_like(self.cache[:1])])
            return x * 1

    checked(Grows(), blocks=(64,)).only("state", "grows from block to block")
    checked(GrowingBuffer(), blocks=(64,)).only("state", "grows from block to block")


class Clicks(Echo):
    """Smooths, and begins with silence at each block."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool1d(torch.nn.functional.pad(x, (2, 0)), 3, 1)


def test_clicks_at_the_borders_of_blocks_are_told(checked: Callable[..., Any]) -> None:
    checked(Clicks(), blocks=(64,)).only("streaming", "clicks at their borders")


class Noisy(Echo):
    """Noise that is drawn block by block."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


def test_noise_is_no_click(checked: Callable[..., Any]) -> None:
    outcome = checked(Noisy(), blocks=(64,))
    assert not outcome.failures
    assert outcome.results["random"] == [{"method": "forward", "random": True}]


def test_what_a_method_keeps_is_named(checked: Callable[..., Any]) -> None:
    outcome = checked(Echo(), blocks=(64,))
    assert outcome.results["state"] == [{"method": "forward", "names": ["cache"], "numbers": 400}]
    assert outcome.results["random"] == [{"method": "forward", "random": False}]


class Mixes(Echo):
    """Its cache is the mean of all rows."""

    def forward(self, x: Tensor) -> Tensor:
        rows = x.shape[0]
        joined = torch.cat([self.cache[:rows], x], -1)
        self.cache[:rows].copy_(joined[..., -100:].mean(0, keepdim=True).expand(rows, -1, -1))
        return x + joined[..., : x.shape[-1]]


def test_rows_that_are_not_kept_apart_are_told(checked: Callable[..., Any]) -> None:
    checked(Mixes(), blocks=(64,)).only("streaming", "one cache for each row")
