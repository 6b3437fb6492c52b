"""How long blocks take on one thread: from the first one on, of a file that was just loaded."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from torchbend.export.check.blocks import FAILURES, Method, block
from torchbend.export.check.session import Session

__all__ = ["measure"]

LEAST, MOST = 24, 200
"""Blocks that are timed."""

SECONDS = 0.5
"""For each method and size, unless the least number of blocks takes longer."""

WARM = 9
"""Blocks that do not count for median and worst: the tenth is the first one that does."""


def measure(session: Session) -> None:
    """Times all methods at all sizes; a method that fails is left out."""
    for samples in session.sizes:
        session.step(f"timing blocks of {samples} samples")
        module = session.fresh()
        for method in session.methods:
            try:
                times, used = _times(module, method, samples)
            except FAILURES:
                continue  # told where blocks are fed
            warm = times[WARM:]
            session.result(
                "timing",
                {
                    "method": method.name,
                    "block": samples,
                    "median_ms": 1e3 * statistics.median(warm),
                    "worst_ms": 1e3 * max(warm),
                    "first_ms": 1e3 * times[0],
                    "second_ms": 1e3 * times[1],
                    "tenth_ms": 1e3 * times[WARM],
                    "cpu_ms": 1e3 * used / len(warm),
                    "blocks": len(times),
                },
            )


def _times(module: Any, method: Method, samples: int) -> tuple[list[float], float]:
    """Seconds for each block, and of processor time for all warm ones."""
    function = getattr(module, method.name)
    inputs = [block(method, samples) for _ in range(4)]
    times: list[float] = []
    used = 0.0
    began = time.perf_counter()
    with torch.inference_mode():
        while len(times) < LEAST or (len(times) < MOST and time.perf_counter() - began < SECONDS):
            x = inputs[len(times) % len(inputs)]
            processor, clock = time.process_time(), time.perf_counter()
            function(x)
            times.append(time.perf_counter() - clock)
            used += (time.process_time() - processor) * (len(times) > WARM)
    return times, used
