"""How loud a sound is over time, and how far two sounds differ in it."""

from __future__ import annotations

import torch
from torch import Tensor

from torchbend.errors import TorchbendError
from torchbend.evaluation.sounds import Sound, mono_pair, to_mono

__all__ = ["SILENCE_DB", "a_weighting", "loudness", "loudness_error"]

SILENCE_DB = -70.0
"""Frames that are quieter than this, in dB(A) of a sine of full scale, count as silent."""

_NEVER_DB = -120.0


def a_weighting(frequency: Tensor) -> Tensor:
    """The A weighting of IEC 61672-1 (annex E) in dB; 0 at 1000 Hz.

    Args:
        frequency: in Hz, 0 or more, any shape.

    >>> [round(level, 1) for level in a_weighting(torch.tensor([100.0, 1000.0, 10000.0])).tolist()]
    [-19.1, 0.0, -2.5]
    """
    square = frequency.double().square()
    poles = (square + 20.598997**2) * (square + 12194.217**2)
    poles = poles * ((square + 107.65265**2) * (square + 737.86223**2)).sqrt()
    gain = 12194.217**2 * square.square() / poles
    return (20 * gain.clamp_min(1e-12).log10() + 2.0).to(frequency.dtype)


def loudness(x: Sound, sample_rate: float, n_fft: int = 2048, hop: int = 512) -> Tensor:
    """The A-weighted level of each frame: a 1000 Hz sine of full scale has 0 dB.

    The power of a Hann-windowed frame, weighted by the curve of IEC 61672-1 in the spectrum. Frames are
    centred; the sound is continued with silence.

    Args:
        x: floating point samples; channels are averaged.
        sample_rate: in Hz, above 0.
        n_fft: length of a frame in samples, 2 or more.
        hop: distance of frames in samples, 1 or more.

    Shape:
        ``[T]``, ``[C, T]`` or ``[1, C, T]`` to ``[T // hop + 1]``.

    Returns:
        Decibels, -120 or more.

    Raises:
        ShapeError: it is no sound.
        NonFiniteError: it holds NaN or infinity.
        TorchbendError: the sample rate or a size is out of its range.
    """
    if not sample_rate > 0 or n_fft < 2 or hop < 1:
        raise TorchbendError(
            "no loudness of this",
            site="loudness",
            wanted="sample_rate > 0, n_fft >= 2, hop >= 1",
            got=f"sample_rate={sample_rate}, n_fft={n_fft}, hop={hop}",
        )
    window = torch.hann_window(n_fft)
    spectrum = torch.stft(to_mono(x), n_fft, hop, window=window, pad_mode="constant", return_complex=True)
    # Parseval: with this factor the bins of a sine of amplitude 1 add up to 1.
    power = spectrum.abs().square() * (4 / (n_fft * window.square().sum()))
    weight = 10 ** (a_weighting(torch.linspace(0, sample_rate / 2, n_fft // 2 + 1)) / 10)
    return 10 * (weight @ power).clamp_min(10 ** (_NEVER_DB / 10)).log10()


def loudness_error(
    reference: Sound, made: Sound, sample_rate: float, silence_db: float = SILENCE_DB
) -> float:
    """The mean difference of the levels of two sounds, in dB(A).

    Args:
        reference: what was wanted; channels are averaged.
        made: what is judged, of the same shape.
        sample_rate: in Hz.
        silence_db: level that stands for all lower ones; frames where both are lower are left out.

    Returns:
        Decibels, 0 or more; 0 where both are silent throughout.

    Raises:
        ShapeError: the sounds differ in shape.
        NonFiniteError: one of them holds NaN or infinity.
        TorchbendError: the sample rate is out of its range.
    """
    wanted, got = (loudness(x, sample_rate).clamp_min(silence_db) for x in mono_pair(reference, made))
    heard = (wanted > silence_db) | (got > silence_db)
    return float((wanted - got)[heard].abs().mean()) if bool(heard.any()) else 0.0
