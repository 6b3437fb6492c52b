"""The design of the filter bank: a prototype low-pass filter, its copies at each band, and their layout.

The prototype is a Kaiser window design whose cut-off makes the filter bank as near to perfect reconstruction
as it can be: the autocorrelation of the prototype should vanish at all multiples of ``2 * bands`` but zero
(Creusere and Mitra, "A simple method for designing high-quality prototype filters for M-band pseudo QMF
banks", IEEE Transactions on Signal Processing 43, 1995). One number is searched, by the simplex method of
Nelder and Mead, which in one dimension has two vertices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchbend.errors import RAVEConfigError

__all__ = [
    "analysis_weight",
    "cutoff",
    "kaiser_beta",
    "low_pass",
    "modulated",
    "prototype",
    "synthesis_weight",
]

_TOLERANCE = 1e-4
_MOST_STEPS = 200
_LEAST_ATTENUATION = 8.0


def kaiser_beta(attenuation: float) -> float:
    """The shape of a Kaiser window for an attenuation of the stop band.

    Kaiser's formulas (Oppenheim and Schafer, "Discrete-Time Signal Processing", section 7.6).

    Args:
        attenuation: in dB.

    Returns:
        Beta; 0, a rectangular window, up to 21 dB.

    >>> kaiser_beta(100.0), round(kaiser_beta(40.0), 4), kaiser_beta(20.0)
    (10.06126, 3.3953, 0.0)
    """
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    if attenuation > 21:
        return 0.5842 * math.pow(attenuation - 21, 0.4) + 0.07886 * (attenuation - 21)
    return 0.0


def low_pass(frequency: float, attenuation: float) -> NDArray[np.float64]:
    """A linear-phase low-pass filter of odd length, by the window method; its gain is not normalised.

    Args:
        frequency: the cut-off, in radians for each sample, in ]0, pi[. It also sets the width of the
            transition, and so the length.
        attenuation: of the stop band, in dB, above 8.

    Returns:
        Shape ``[N]``, symmetric.
    """
    length = 2 * (math.ceil((attenuation - 7.95) / (2.285 * frequency) + 1) // 2) + 1
    ratio = frequency / np.pi
    taps = ratio * np.sinc(ratio * (np.arange(length) - (length - 1) / 2))
    windowed: NDArray[np.float64] = taps * _window(length, kaiser_beta(attenuation))
    return windowed


@lru_cache(maxsize=64)
def _window(length: int, beta: float) -> NDArray[np.float64]:
    """Kept, because the search asks for the same few lengths again and again."""
    place = torch.linspace(-1, 1, length, dtype=torch.float64, device="cpu")
    bessel = torch.special.i0(beta * (1 - place.square()).clamp_min(0).sqrt())
    window: NDArray[np.float64] = (bessel / bessel[length // 2]).numpy()
    return window


def _overlap(frequency: float, bands: int, attenuation: float) -> float:
    """What spoils reconstruction: the largest autocorrelation at a multiple of ``2 * bands``."""
    taps = low_pass(frequency, attenuation)
    step = 2 * bands
    lags = range(step, len(taps), step)
    return max((abs(float(taps[lag:] @ taps[:-lag])) for lag in lags), default=0.0)


def _minimise(objective: Callable[[float], float], start: float) -> float:
    """The simplex method in one dimension, from ``start`` and 1.05 times it.

    It stops when both the places and the values of its two vertices are within 1e-4.
    """
    pair = sorted((objective(x), x) for x in (start, 1.05 * start))
    for _ in range(_MOST_STEPS):
        (best_value, best), (worst_value, worst) = pair
        if abs(worst - best) <= _TOLERANCE and abs(worst_value - best_value) <= _TOLERANCE:
            break
        pair = sorted([(best_value, best), _step(objective, best_value, best, worst_value, worst)])
    return pair[0][1]


def _step(
    objective: Callable[[float], float], best_value: float, best: float, worst_value: float, worst: float
) -> tuple[float, float]:
    """What takes the place of the worst vertex: reflected (1), expanded (2), contracted or shrunk (1/2)."""
    x = 2 * best - worst
    value = objective(x)
    if value < best_value:
        further = 3 * best - 2 * worst
        further_value = objective(further)
        return (further_value, further) if further_value < value else (value, x)
    # In one dimension the best vertex is also the second worst: what is not better than it is contracted.
    x = 1.5 * best - 0.5 * worst if value < worst_value else 0.5 * best + 0.5 * worst
    limit = min(value, worst_value)
    value = objective(x)
    if value <= limit:
        return value, x
    x = best + 0.5 * (worst - best)
    return objective(x), x


@lru_cache(maxsize=32)
def cutoff(bands: int, attenuation: float) -> float:
    """The cut-off of the prototype.

    Args:
        bands: a power of two, at least 2.
        attenuation: of the stop band, in dB, above 8.

    Returns:
        In radians for each sample.

    Raises:
        RAVEConfigError: another number of bands, or an attenuation that no window has.

    >>> round(cutoff(16, 100.0), 12)
    0.10751953125
    """
    if bands < 2 or bands & (bands - 1):
        raise RAVEConfigError(
            "a filter bank cannot have this number of bands",
            site="pqmf.bands",
            wanted="2, 4, 8, 16, 32, ...",
            got=bands,
            next_step="choose a power of two; 1 leaves the filter bank out",
        )
    if not attenuation > _LEAST_ATTENUATION:
        raise RAVEConfigError(
            "a filter bank cannot have so little attenuation",
            site="pqmf.attenuation",
            wanted=f"more than {_LEAST_ATTENUATION:g} dB",
            got=attenuation,
            next_step="100 dB is usual; a low-latency model takes 40",
        )
    return _minimise(lambda frequency: _overlap(frequency, bands, attenuation), 1 / bands)


@lru_cache(maxsize=32)
def _taps(bands: int, attenuation: float) -> NDArray[np.float32]:
    return low_pass(cutoff(bands, attenuation), attenuation).astype(np.float32)


def prototype(bands: int, attenuation: float) -> Tensor:
    """The prototype low-pass filter.

    The design is kept for each pair of arguments; the tensor is a new one.

    Args:
        bands: a power of two, at least 2.
        attenuation: of the stop band, in dB, above 8.

    Returns:
        Shape ``[N]``, N odd, float32. 16 bands and 100 dB give 377 taps.

    Raises:
        RAVEConfigError: another number of bands, or an attenuation that no window has.
    """
    return torch.from_numpy(_taps(bands, float(attenuation)).copy())


def modulated(h: Tensor, bands: int) -> Tensor:
    """The filter of each band: the prototype moved to the band's centre by a cosine.

    Args:
        h: the prototype, shape ``[N]``.
        bands: number of bands.

    Returns:
        Shape ``[bands, P]``, P the next power of two from N on; zeros on both sides, more on the right.
    """
    length = h.shape[-1]
    band = torch.arange(bands).reshape(-1, 1)
    time = torch.arange(length) - length // 2
    phase = (-1.0) ** band * math.pi / 4
    hk = 2 * h * torch.cos((2 * band + 1) * math.pi / (2 * bands) * time + phase)
    missing = (1 << (length - 1).bit_length()) - length
    return torch.nn.functional.pad(hk, (missing // 2, missing - missing // 2))


def analysis_weight(hk: Tensor) -> Tensor:
    """The kernel that splits audio into bands.

    Args:
        hk: the filters, shape ``[bands, P]``.

    Returns:
        Shape ``[bands, 1, P + 1]``; the last tap is zero, which makes the length odd.
    """
    return torch.nn.functional.pad(hk, (0, 1)).unsqueeze(1)


def synthesis_weight(hk: Tensor) -> Tensor:
    """The kernel that joins bands: one output channel for each sample between two frames.

    Args:
        hk: the filters, shape ``[bands, P]``.

    Returns:
        Shape ``[bands, bands, Q]``, Q odd: ``P / bands``, and one zero where that is even.
    """
    bands = hk.shape[0]
    weight = hk.flip(-1).reshape(bands, -1, bands).permute(2, 0, 1)
    even = 1 - weight.shape[-1] % 2
    return torch.nn.functional.pad(weight, (0, even)).contiguous()
