"""Measure calls side by side: one after the other, round after round, so that other load meets all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["PLAIN", "AGAIN", "Settings", "Timings", "Bar", "Row", "Section", "interleaved"]

PLAIN = "plain"
AGAIN = "plain, again"

Call = Callable[[], object]


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        rounds: of calls that take milliseconds and more.
        short_rounds: of calls that take microseconds.
        tiny: models of a few hundred weights: only shows that the measurements run.
        peers: also measure other libraries, where they are installed.
    """

    rounds: int = 40
    short_rounds: int = 2000
    tiny: bool = False
    peers: bool = True


@dataclass(frozen=True)
class Timings:
    """Seconds of each call in each round, by the name of what was called."""

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        """In seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, to: str = PLAIN) -> float:
        """Of two medians."""
        return self.median(name) / self.median(to)

    def added(self, name: str, to: str = PLAIN) -> float:
        """How much longer, in seconds: the median of the differences within a round."""
        pairs = zip(self.seconds[name], self.seconds[to], strict=True)
        return statistics.median(mine - plain for mine, plain in pairs)

    @property
    def noise(self) -> float:
        """The ratio that identical code measured twice gives; 1 where nothing disturbs."""
        return self.ratio(AGAIN)


def interleaved(calls: Mapping[str, Call], rounds: int, warm_up: int = 3) -> Timings:
    """Time each call once per round; every round begins with another one.

    Args:
        calls: by name; ``PLAIN`` among them is measured a second time, as ``AGAIN``.
        rounds: how often each is called.
        warm_up: rounds before, which do not count.
    """
    every = dict(calls)
    if PLAIN in every:
        every[AGAIN] = every[PLAIN]
    names = list(every)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(warm_up):
        for name in names:
            every[name]()
    clock = time.perf_counter
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            call = every[name]
            begin = clock()
            call()
            seconds[name].append(clock() - begin)
    return Timings(seconds)


@dataclass(frozen=True)
class Bar:
    """What was promised: at most ``ratio`` times the plain call, and ``extra`` seconds on top.

    Attributes:
        text: how it is written.
    """

    text: str
    ratio: float = 1.0
    extra: float = 0.0

    def met(self, plain: float, measured: float) -> bool:
        """Whether ``measured`` keeps it, both in seconds."""
        return measured <= self.ratio * plain + self.extra


@dataclass(frozen=True)
class Row:
    """One line of the page.

    Attributes:
        what: what was measured.
        plain: seconds of the plain call.
        measured: seconds of ours.
        added: how much longer ours takes, in seconds.
        noise: ratio of the plain call measured twice.
        bar: what was promised; ``None`` for information.
        others: ratios of other ways to do the same, by column.
        note: said behind the table.
    """

    what: str
    plain: float
    measured: float
    added: float
    noise: float
    bar: Bar | None = None
    others: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @classmethod
    def of(cls, what: str, timings: Timings, name: str, bar: Bar | None = None, note: str = "") -> Row:
        """The row of ``name``; what else was measured beside it becomes further columns."""
        apart = (PLAIN, AGAIN, name)
        others = {n: timings.ratio(n) for n in timings.seconds if n not in apart}
        median, added = timings.median, timings.added(name)
        return cls(what, median(PLAIN), median(name), added, timings.noise, bar, others, note)

    @property
    def ratio(self) -> float:
        """Of ours to the plain call."""
        return self.measured / self.plain

    @property
    def met(self) -> bool | None:
        """Whether the bar is kept; ``None`` without one."""
        return None if self.bar is None else self.bar.met(self.plain, self.measured)


@dataclass(frozen=True)
class Section:
    """A table of the page.

    Attributes:
        title: its heading.
        text: what is compared, and how.
        rows: its lines.
        noted: what the notes of its rows tell.
    """

    title: str
    text: str
    rows: list[Row]
    noted: str = "per node"
