"""Whether a file is fast enough, told from what its blocks took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torchbend.export.check.findings import Finding, failure, warning
from torchbend.export.check.report import Timing

__all__ = ["judge"]

SLOWER, LEAST_MS = 3.0, 5.0
"""A first block is told that takes so many times the tenth one, this long, and longer than it lasts."""

FREE = 90.0
"""Percent of a processor: a method that needs less of it keeps up where nothing else computes."""


def judge(timings: Sequence[Timing], rates: Sequence[int]) -> list[Finding]:
    """A failure for a method that can keep up at no size of blocks; warnings for what is slow at some."""
    found: list[Finding] = []
    highest = max(rates)
    for method in dict.fromkeys(timing.method for timing in timings):
        mine = [timing for timing in timings if timing.method == method]
        late = [t for t in mine if t.real_time[highest] >= 1]
        rarely = [t for t in mine if t not in late and t.real_time_worst[highest] >= 1]
        where = f"{method}()"
        if len(late) == len(mine):
            best = min(mine, key=lambda t: t.real_time[highest])
            if min(t.cpu[highest] for t in mine) < FREE:
                found.append(_crowded(where, best, highest))
                continue
            found.append(
                failure(
                    "speed",
                    where,
                    f"it does not keep up at {highest} Hz, at any size of blocks",
                    "a block in less time than it lasts",
                    f"{best.real_time[highest]:.2f} times as long, with blocks of {best.block}",
                    "a smaller model, a lower sample rate, or a faster machine",
                )
            )
            continue
        if late:
            got, step = (
                f"too slow with {_sizes(late)}",
                f"use blocks of {_first_in_time(mine, highest)} or more",
            )
            found.append(warning("speed", where, f"small blocks are late at {highest} Hz", "", got, step))
        if rarely:
            worst = max(rarely, key=lambda t: t.real_time_worst[highest])
            got = f"{worst.worst_ms:.3g} ms, median {worst.median_ms:.3g} ms; {_sizes(rarely)}"
            wanted = f"less than {1e3 * worst.block / highest:.3g} ms"
            message = f"single blocks are late at {highest} Hz; other programs may be the cause"
            found.append(warning("speed", where, message, wanted, got))
        found += _slow_start(mine, highest)
    return found


def _crowded(where: str, best: Timing, rate: int) -> Finding:
    """The machine is too busy to tell: the method alone needs less than there is."""
    return warning(
        "speed",
        where,
        f"it does not keep up at {rate} Hz here and now, but it would with the processor to itself",
        "a block in less time than it lasts",
        f"{best.real_time[rate]:.2f} times as long, of which it computed {best.cpu[rate]:.0f} %; "
        f"blocks of {best.block}",
        "close what else computes, and check again",
    )


def _slow_start(timings: Sequence[Timing], rate: int) -> list[Finding]:
    slow = [t for t in timings if _start(t) > max(SLOWER * t.tenth_ms, LEAST_MS, 1e3 * t.block / rate)]
    if not slow:
        return []
    t = max(slow, key=_start)
    return [
        warning(
            "speed",
            f"{t.method}()",
            "the first blocks are slow: playing begins with a gap",
            f"{t.tenth_ms:.3g} ms, as the tenth block",
            f"{t.first_ms:.3g} and {t.second_ms:.3g} ms with blocks of {t.block}; {_sizes(slow)}",
            "export it with its warm-up, or play silence before the concert",
        )
    ]


def _start(timing: Timing) -> float:
    return max(timing.first_ms, timing.second_ms)


def _sizes(timings: Iterable[Timing]) -> str:
    return f"blocks of {', '.join(str(t.block) for t in timings)}"


def _first_in_time(timings: Sequence[Timing], rate: int) -> int:
    return min(t.block for t in timings if t.real_time[rate] < 1)
