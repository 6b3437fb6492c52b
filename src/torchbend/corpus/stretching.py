"""Longer or shorter at the same pitch, by overlapping what fits (WSOLA), and another pitch on top of it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from torchbend.corpus.sources import Block
from torchbend.errors import MissingExtraError, TorchbendError

__all__ = ["change_pitch_and_speed", "time_stretch"]

_SEGMENT = 0.060
"""Seconds between two places where a cut may be."""

_OVERLAP = 0.020
"""Seconds over which both sides of a cut are mixed: a period of 50 Hz, so that the fit sees one."""

_REACH = 0.0125
"""Seconds by which a segment may come from another place than the tempo asks for."""


def change_pitch_and_speed(
    samples: Block, sample_rate: float, new_rate: float, semitones: float = 0.0, speed: float = 1.0
) -> Block:
    """Another pitch, another speed and another sample rate, in one go.

    The pitch is changed by resampling (soxr's "HQ"), in the same step as the sample rate: partials keep
    their ratios and formants move along. The length is then put right by :func:`time_stretch`, which has
    nothing to do where ``speed`` is that of a tape, ``2 ** (semitones / 12)``.

    Args:
        samples: ``[C, n]``.
        sample_rate: of ``samples``, in Hz.
        new_rate: of the result, in Hz.
        semitones: above 0 is higher.
        speed: above 1 is shorter.

    Shape:
        ``[C, n]`` to ``[C, round(n * new_rate / sample_rate / speed)]``.

    Raises:
        TorchbendError: a rate or the speed is not above 0.
    """
    ratio = 2.0 ** (semitones / 12.0)
    for name, value in (("sample_rate", sample_rate), ("new_rate", new_rate), ("speed", speed)):
        if not (math.isfinite(value) and value > 0):
            raise TorchbendError("cannot change the speed", site=name, wanted="above 0", got=value)
    length = round(samples.shape[1] * new_rate / sample_rate / speed)
    moved = _resampled(samples, sample_rate * ratio, new_rate)
    return _fitted(time_stretch(moved, ratio / speed, new_rate), length)


def time_stretch(samples: Block, factor: float, sample_rate: float) -> Block:
    """Change the length and keep the pitch: waveform-similarity overlap-add.

    Segments of 60 ms are copied as they are. Each one follows the one before it without a cut as long as
    that is at most 12.5 ms away from where the tempo wants it; else it is taken from where, within that
    reach, the waveform resembles most what would have followed, and mixed in over 20 ms at constant power.
    (W. Verhelst and M. Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for high
    quality time-scale modification of speech", ICASSP 1993.)

    Args:
        samples: ``[C, n]``; all channels are cut at the same places.
        factor: above 1 is longer; 1 gives the samples back as they are.
        sample_rate: in Hz.

    Shape:
        ``[C, n]`` to ``[C, round(n * factor)]``.

    Raises:
        TorchbendError: ``factor`` is not above 0.
    """
    if not (math.isfinite(factor) and factor > 0):
        raise TorchbendError("cannot stretch", site="factor", wanted="above 0", got=factor)
    length = round(samples.shape[1] * factor)
    if length == samples.shape[1] or samples.shape[1] == 0:
        return samples
    hop, overlap, reach = (max(2, round(span * sample_rate)) for span in (_SEGMENT, _OVERLAP, _REACH))
    padded = np.pad(samples, ((0, 0), (reach, 2 * reach + 2 * hop + overlap)))
    out = np.zeros((samples.shape[0], length + hop + overlap), np.float32)
    place, at = reach, 0
    out[:, : hop + overlap] = padded[:, place : place + hop + overlap]
    fade = (0.5 - 0.5 * np.cos(np.pi * (np.arange(overlap) + 0.5) / overlap)).astype(np.float32)
    while (at := at + hop) < length:
        place += hop
        ideal = reach + round(at / factor)
        if abs(place - ideal) > reach:
            follows = padded[:, place : place + overlap]
            around = padded[:, ideal - reach : ideal + reach + overlap]
            shift, alike = _best_fit(around, follows)
            place = ideal - reach + shift
            found = padded[:, place : place + overlap]
            out[:, at : at + overlap] = _mixed(follows, found, fade, alike)
            begin = overlap
        else:
            begin = 0
        out[:, at + begin : at + hop + overlap] = padded[:, place + begin : place + hop + overlap]
    return np.ascontiguousarray(out[:, :length])


def _best_fit(around: Block, wanted: Block) -> tuple[int, float]:
    """Where ``wanted`` ``[C, m]`` fits best into ``around`` ``[C, n]``, and the correlation there."""
    length, size = wanted.shape[1], around.shape[1]
    places = size - length + 1
    points = 1 << (size - 1).bit_length()
    product = np.fft.rfft(around, points) * np.conj(np.fft.rfft(wanted, points))
    likeness = np.fft.irfft(product.sum(0), points)[:places]
    sums = np.concatenate([[0.0], np.cumsum(np.square(around, dtype=np.float64).sum(0))])
    energy: NDArray[np.float64] = np.maximum(sums[length:] - sums[:-length], 0.0)
    own = float(np.square(wanted, dtype=np.float64).sum())
    # The floor keeps a place of silence from winning by rounding errors.
    scale = np.sqrt(energy * own) + 1e-6 * (own + float(energy.max())) + 1e-12
    correlation = likeness / scale
    best = int(np.argmax(correlation))
    return best, float(np.clip(correlation[best], 0.0, 1.0))


def _mixed(old: Block, new: Block, fade: Block, alike: float) -> Block:
    """From ``old`` to ``new``, with the power kept that two signals of that correlation have."""
    power = np.sqrt(fade**2 + (1 - fade) ** 2 + 2 * alike * fade * (1 - fade))
    return (((1 - fade) * old + fade * new) / power).astype(np.float32)


def _resampled(samples: Block, old: float, new: float) -> Block:
    if old == new:
        return samples
    try:
        import soxr
    except (ImportError, OSError) as error:
        raise MissingExtraError("resampling needs soxr", next_step="pip install soxr") from error
    found = soxr.resample(np.ascontiguousarray(samples.T), old, new, quality="HQ")
    return np.ascontiguousarray(np.asarray(found, np.float32).T)


def _fitted(samples: Block, length: int) -> Block:
    """Cut or padded at the end by the sample or two that rounding left."""
    missing = length - samples.shape[1]
    return np.pad(samples, ((0, 0), (0, missing))) if missing > 0 else samples[:, :length]
