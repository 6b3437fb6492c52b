"""What fixed small things cost on this machine now: a ruler for the bars in microseconds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.harness import Settings
from benchmarks.subjects import two_layers

__all__ = ["references"]


def _nothing() -> None:
    return None


def _hundred_calls() -> None:
    for _ in range(100):
        _nothing()


def _median(call: Callable[[], object], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def references(settings: Settings) -> dict[str, float]:
    """Medians in seconds, by what was done."""
    four = torch.zeros(4)
    layers = two_layers()
    hooked = two_layers()
    hooked.model.get_submodule("0").register_forward_hook(lambda module, inputs, output: output * 1.1)
    measured: dict[str, Callable[[], object]] = {
        "x.add(1) on 4 elements": lambda: four.add(1),
        "100 calls of an empty Python function": _hundred_calls,
        "two linear layers of 16, plain": layers.plain,
        "the same, one output scaled by a forward hook written by hand": hooked.plain,
    }
    with torch.no_grad():
        return {what: _median(call, settings.short_rounds) for what, call in measured.items()}
