"""How loud a sound is to the ear: integrated loudness after ITU-R BS.1770."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from torchbend.corpus.equaliser import Biquad, filtered, through
from torchbend.corpus.sources import Block

__all__ = ["integrated_loudness", "k_weighting", "loudness_gain"]

# The two filters of BS.1770-5, tables 1 and 2, which are given for 48 kHz.
_RATE = 48000.0
_HEAD = Biquad(
    (1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)
)
_LOW_CUT = Biquad((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))

_BLOCK = 0.400
_OVERLAP = 4
_OFFSET = -0.691
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0

MOST = 12.0
"""The most that a sound is made louder or quieter, in dB."""


def k_weighting(omega: NDArray[np.float64], sample_rate: float) -> NDArray[np.complex128]:
    """The complex gain of the standard's two filters at frequencies in radians per sample.

    Both are bilinear transforms of analog filters. At another rate the same analog filters are wanted, so
    that their response there is that at 48 kHz, at the frequency that stands for the same analog one.

    Args:
        omega: from 0 to pi.
        sample_rate: in Hz.
    """
    analog = np.tan(np.minimum(omega, math.pi * (1 - 1e-9)) / 2) * sample_rate
    return through((_HEAD, _LOW_CUT))(2 * np.arctan(analog / _RATE))


def integrated_loudness(samples: Block, sample_rate: float) -> float:
    """Integrated loudness in LUFS: K-weighted, in blocks of 400 ms, gated at -70 LUFS and then at -10 LU.

    All channels count alike, as the front channels of the standard do. A sound shorter than a block is one
    block.

    Args:
        samples: ``[C, n]``.
        sample_rate: in Hz.

    Returns:
        The loudness; minus infinity for silence.
    """
    weighted = filtered(samples, lambda omega: k_weighting(omega, sample_rate))
    size = min(round(_BLOCK * sample_rate), samples.shape[1])
    if size == 0:
        return -math.inf
    sums = np.concatenate([[0.0], np.cumsum(np.square(weighted, dtype=np.float64).sum(0))])
    begins = np.arange(0, samples.shape[1] - size + 1, max(1, size // _OVERLAP))
    power = (sums[begins + size] - sums[begins]) / size
    kept = power[power > _power(_ABSOLUTE_GATE)]
    if kept.size:
        kept = kept[kept > kept.mean() * 10 ** (_RELATIVE_GATE / 10)]
    return _OFFSET + 10 * math.log10(kept.mean()) if kept.size else -math.inf


def loudness_gain(samples: Block, sample_rate: float, wanted: float) -> float:
    """The gain in dB that brings a sound to the wanted loudness, held within +-12 dB.

    It is one gain for the whole sound: nothing is compressed, and what is soft in it stays soft.

    Args:
        samples: ``[C, n]``.
        sample_rate: in Hz.
        wanted: in LUFS.
    """
    found = integrated_loudness(samples, sample_rate)
    return float(np.clip(wanted - found, -MOST, MOST)) if math.isfinite(found) else 0.0


def _power(loudness: float) -> float:
    return float(10 ** ((loudness - _OFFSET) / 10))
