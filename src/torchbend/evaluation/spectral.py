"""How far the spectra of two sounds lie from one another."""

from __future__ import annotations

import torch

from torchbend.errors import TorchbendError
from torchbend.evaluation.sounds import Sound, mono_pair, pair
from torchbend.plots import log_mel
from torchbend.rave.config import DistanceConfig
from torchbend.rave.losses.distance import AudioDistance

__all__ = ["LOWEST_DB", "log_mel_distance", "spectral_distance"]

LOWEST_DB = -80.0
"""Below this level of a mel band, dB of a sine of full scale, differences are not heard and not counted."""


def spectral_distance(reference: Sound, made: Sound, config: DistanceConfig | None = None) -> float:
    """RAVE's multi-scale spectral distance (arXiv 2111.05011, equation 5) between two whole sounds.

    For each of the windows 2048, 1024, 512, 256 and 128 samples: the squared difference of magnitudes over
    the mean square of the reference's, plus the mean difference of their logarithms; summed. It is what
    RAVE's training minimises on excerpts. It is not symmetric, and silence in the reference weighs heavily
    through the logarithm, whose epsilon is 1e-7.

    Args:
        reference: what was wanted.
        made: what is judged.
        config: other windows and another epsilon.

    Shape:
        both ``[T]``, ``[C, T]`` or ``[1, C, T]``, with T > 1024; each channel counts as a sound.

    Returns:
        0 or more; 0 for equal sounds.

    Raises:
        ShapeError: the sounds differ in shape, or are too short.
        NonFiniteError: one of them holds NaN or infinity.
        TorchbendError: the reference is silent: there is nothing to be far from.

    >>> spectral_distance(torch.ones(4096), torch.ones(4096))
    0.0
    """
    wanted, got = pair(reference, made)
    if not bool(wanted.any()):
        raise TorchbendError(
            "there is no distance from silence", site="reference", wanted="a sound", got="zeros only"
        )
    with torch.no_grad():
        return float(AudioDistance(config or DistanceConfig())(wanted[None], got[None]))


def log_mel_distance(
    reference: Sound, made: Sound, sample_rate: float, n_mels: int = 80, lowest_db: float = LOWEST_DB
) -> float:
    """The mean difference of two sounds in mel bands, in dB.

    Mean of ``|L(reference) - L(made)|`` over all bands and frames, where L is the power in dB in mel bands
    (:func:`torchbend.plots.log_mel`: Slaney's scale, Hann windows of 2048 samples every 512), of at least
    ``lowest_db``. Twenty times the logarithm of a gain is its distance from the sound it was applied to.

    Args:
        reference: what was wanted; channels are averaged.
        made: what is judged, of the same shape.
        sample_rate: in Hz, above 0.
        n_mels: number of bands, 1 or more.
        lowest_db: level that stands for all lower ones.

    Shape:
        both ``[T]``, ``[C, T]`` or ``[1, C, T]``.

    Returns:
        Decibels, 0 or more.

    Raises:
        ShapeError: the sounds differ in shape.
        NonFiniteError: one of them holds NaN or infinity.
        TorchbendError: the sample rate or the number of bands is out of its range.
    """
    levels = [log_mel(x, sample_rate, n_mels=n_mels).clamp_min(lowest_db) for x in mono_pair(reference, made)]
    return float((levels[0] - levels[1]).abs().mean())
