"""Where a sound is silent, and the sound without that."""

from __future__ import annotations

import math

import numpy as np

from torchbend.corpus.augmentation import faded
from torchbend.corpus.sources import Block

__all__ = ["sounding", "without_silence"]

_WINDOW = 0.010
_BEFORE = 0.050
_AFTER = 0.250
"""Seconds: of each measurement, and of what is kept before and behind what sounds."""


def sounding(samples: Block, sample_rate: float, threshold: float = -60.0) -> list[tuple[int, int]]:
    """The spans that are not silent, from first to behind the last sample, each in turn.

    Silent is where the root mean square of 10 ms of every channel is below the threshold. 50 ms before
    what sounds and 250 ms after it are kept, so that attacks and decays stay whole, and pauses up to
    their sum.

    Args:
        samples: ``[C, n]``.
        sample_rate: in Hz.
        threshold: in dB of full scale.
    """
    channels, length = samples.shape
    size = max(1, round(_WINDOW * sample_rate))
    count = math.ceil(length / size)
    padded = np.pad(samples, ((0, 0), (0, count * size - length)))
    power = np.square(padded, dtype=np.float64).reshape(channels, count, size).mean(2).max(0, initial=0.0)
    (loud,) = np.nonzero(power > 10 ** (threshold / 10))
    if not loud.size:
        return []
    before, after = round(_BEFORE * sample_rate), round(_AFTER * sample_rate)
    (pauses,) = np.nonzero((np.diff(loud) - 1) * size > before + after)
    firsts, lasts = loud[np.r_[0, pauses + 1]], loud[np.r_[pauses, -1]]
    begins, ends = np.maximum(0, firsts * size - before), np.minimum(length, (lasts + 1) * size + after)
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def without_silence(samples: Block, sample_rate: float, threshold: float = -60.0) -> Block:
    """The spans of :func:`sounding` one after the other, faded over 5 ms where they are cut.

    Args:
        samples: ``[C, n]``.
        sample_rate: in Hz.
        threshold: in dB of full scale.

    Shape:
        ``[C, n]`` to ``[C, m]``, with ``m`` 0 for silence; the samples themselves where nothing is silent.
    """
    length = samples.shape[1]
    spans = sounding(samples, sample_rate, threshold)
    if spans == [(0, length)]:
        return samples
    pieces = [
        faded(samples[:, begin:end], sample_rate, begin=begin > 0, end=end < length) for begin, end in spans
    ]
    return np.concatenate(pieces, axis=1) if pieces else samples[:, :0]
