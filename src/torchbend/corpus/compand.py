"""Compressors for excerpts: a level that follows the signal, and a curve from level to level in dB.

After the description of ``compand`` in the manual of SoX: instant level is averaged over the attack time
while it grows and over the release time while it falls; a curve says which level a level becomes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from torchbend.corpus.transform import Samples, Transform
from torchbend.errors import CorpusError

__all__ = ["Compress", "RandomCompress", "compand", "curve", "levels"]

Points: TypeAlias = Sequence[tuple[float, float]]

_FLOOR = -200.0
"""Levels below this, in dB, count as this."""

_STEPS = 20
"""Gains are computed so many times for each dB, and straight between."""

_BLOCK = 4096


@dataclass(frozen=True)
class RandomCompress(Transform):
    """A compressor or expander whose curve bends at a threshold, to a level that is drawn.

    Args:
        threshold: where it bends, in dB, in (-80, 0).
        amp_range: what the threshold becomes, in dB, drawn evenly.
        attack: in seconds, 0 or more.
        release: in seconds, 0 or more.
        probability: how often, in [0, 1].
    """

    threshold: float = -40.0
    amp_range: tuple[float, float] = (-60.0, 0.0)
    attack: float = 0.1
    release: float = 0.1
    probability: float = 0.8

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """As many frames, in [-1, 1]."""
        chance, level = rng.random(), rng.uniform(*self.amp_range)
        if chance >= self.probability:
            return x
        points = ((-80.0, -80.0), (self.threshold, level), (0.0, 0.0))
        return compand(x, sample_rate, points, self.attack, self.release)


@dataclass(frozen=True)
class Compress(Transform):
    """The same compressor for every excerpt.

    Args:
        attack: in seconds, 0 or more.
        release: in seconds, 0 or more.
        lookup: ``"knee:in,out,in,out,..."`` in dB, levels in rising order; an odd number of them means that
            the first becomes itself. The point 0, 0 is added where no level reaches 0.
        gain: added after it, in dB.

    Raises:
        CorpusError: the lookup cannot be read.
    """

    attack: float = 0.1
    release: float = 0.1
    lookup: str = "6:-70,-60,-20"
    gain: float = 0.0

    def __post_init__(self) -> None:
        self._curve()

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """As many frames, in [-1, 1]."""
        knee, points = self._curve()
        return compand(x, sample_rate, points, self.attack, self.release, knee, self.gain)

    def _curve(self) -> tuple[float, list[tuple[float, float]]]:
        knee, colon, text = self.lookup.rpartition(":")
        try:
            width = float(knee) if colon else 0.0
            numbers = [float(number) for number in text.split(",")]
        except ValueError as error:
            raise _unreadable(self.lookup) from error
        if len(numbers) % 2:
            numbers.insert(0, numbers[0])
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        if points[-1][0] < 0:
            points.append((0.0, 0.0))
        rising = all(a[0] < b[0] for a, b in zip(points, points[1:], strict=False))
        if len(points) < 2 or not rising or width < 0:
            raise _unreadable(self.lookup)
        return width, points


def compand(
    x: Samples,
    sample_rate: int,
    points: Points,
    attack: float = 0.1,
    release: float = 0.1,
    knee: float = 6.0,
    gain: float = 0.0,
) -> Samples:
    """Change the level of a signal after its own level; each channel follows itself, from full scale on.

    Args:
        x: samples in [-1, 1].
        sample_rate: in Hz.
        points: of the curve, in dB, as for :func:`curve`.
        attack: in seconds, 0 or more.
        release: in seconds, 0 or more.
        knee: as for :func:`curve`.
        gain: added, in dB.

    Shape:
        ``[channels, frames]`` stays; what passes full scale is clipped.
    """
    grid = np.arange(_FLOOR, 20, 1 / _STEPS)
    gains = (10 ** ((curve(grid, points, knee) - grid + gain) / 20)).astype(np.float32)
    level = levels(np.abs(x), sample_rate, attack, release).astype(np.float32)
    place = np.maximum(np.log10(np.maximum(level, np.float32(1e-30))) * 20 - _FLOOR, 0) * _STEPS
    step = np.minimum(place.astype(np.intp), len(grid) - 2)
    place -= step
    out = gains[step] + np.diff(gains)[step] * place
    out *= x
    clipped: Samples = np.clip(out, -1, 1, out=out).astype(np.float32, copy=False)
    return clipped


def levels(x: NDArray[np.floating], sample_rate: int, attack: float, release: float) -> NDArray[np.float64]:
    """The level ``v`` that follows ``x``: from 1 on, ``v += (x - v) * (1 - exp(-1 / (rate * time)))``.

    Args:
        x: 0 or more, ``[channels, frames]``.
        sample_rate: in Hz.
        attack: the time while ``x`` is above ``v``, in seconds; 0 follows at once.
        release: the time while it is below.

    Shape:
        ``[channels, frames]`` stays.
    """
    up, down = (_keep(time, sample_rate) for time in (attack, release))
    rows = x.astype(np.float64)
    return _even(rows, up) if up == down else np.stack([_uneven(row, up, down) for row in rows])


def curve(level: NDArray[np.float64], points: Points, knee: float = 6.0) -> NDArray[np.float64]:
    """The level that a level becomes, both in dB: straight between points, rounded at them by parabolas.

    Below the first point and above the last, levels change by as much as that point does. The last is not
    rounded.

    Args:
        level: in dB, any shape.
        points: at least two of (level, what it becomes), in rising order.
        knee: how wide the rounding is in dB, 0 or more; narrower where points stand closer.

    >>> curve(np.array([-90.0, -60.0, -30.0, 0.0]), [(-60, -40), (0, 0)], knee=0).tolist()
    [-70.0, -40.0, -20.0, 0.0]
    """
    xs, ys = np.array(points, np.float64).T
    out: NDArray[np.float64] = np.interp(level, xs, ys)
    out = np.where(level < xs[0], level + ys[0] - xs[0], out)
    out = np.where(level > xs[-1], level + ys[-1] - xs[-1], out)
    slopes = np.concatenate([[1.0], np.diff(ys) / np.diff(xs), [1.0]])
    gaps = np.concatenate([[np.inf], np.diff(xs), [np.inf]])
    for k, (x, y) in enumerate(points[:-1]):
        half = min(knee, gaps[k], gaps[k + 1]) / 2
        if half > 0:
            bend = (slopes[k + 1] - slopes[k]) * (level - x + half) ** 2 / (4 * half)
            near = np.abs(level - x) < half
            out = np.where(near, y + slopes[k] * (level - x) + bend, out)
    return out


def _keep(time: float, sample_rate: int) -> float:
    return math.exp(-1 / (sample_rate * time)) if time > 0 else 0.0


def _even(x: NDArray[np.float64], keep: float) -> NDArray[np.float64]:
    """The recursion with one factor: sums inside blocks at once, from block to block one by one."""
    if keep == 0:
        return x
    channels, frames = x.shape
    size = max(1, min(_BLOCK, int(-300 / math.log(keep))))
    blocks = -(-frames // size)
    padded = np.zeros((channels, blocks * size))
    padded[:, :frames] = x
    powers = keep ** np.arange(size)
    sums = np.cumsum(padded.reshape(channels, blocks, size) / powers, axis=-1) * (powers * (1 - keep))
    last = np.ones(channels)
    for block in range(blocks):
        sums[:, block] += last[:, None] * (powers * keep)
        last = sums[:, block, -1]
    followed: NDArray[np.float64] = sums.reshape(channels, -1)[:, :frames]
    return followed


def _uneven(x: NDArray[np.float64], up: float, down: float) -> NDArray[np.float64]:
    level, out = 1.0, []
    for value in x.tolist():
        level = value + (level - value) * (up if value > level else down)
        out.append(level)
    return np.array(out)


def _unreadable(lookup: str) -> CorpusError:
    return CorpusError(
        "the curve of a compressor cannot be read",
        site="lookup",
        wanted="knee:in,out,in,out,... in dB, levels in rising order, as 6:-70,-60,-20",
        got=lookup,
    )
