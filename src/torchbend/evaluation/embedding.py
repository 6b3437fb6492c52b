"""How far two collections of sounds lie from one another, note by note no matter.

As in the Fréchet audio distance (K. Kilgour et al., Interspeech 2019) each collection becomes a cloud of
vectors, one for each short stretch of sound, and the clouds are compared as normal distributions (D. Dowson
and B. Landau, J. Multivariate Analysis 12, 1982). The vectors are not those of a trained network, which
would have to be fetched: they are computed, from the cepstrum of the mel spectrum (timbre: mean, and
deviation over the stretch) and from the modulation spectrum of its level (vibrato, roughness, attacks).
All of them are in decibels, so that the distance is in squared decibels. Numbers from it are to be compared
with one another, for one reference; never with Fréchet distances of trained networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from torchbend.errors import ShapeError, TorchbendError
from torchbend.evaluation.sounds import Sound, to_mono
from torchbend.plots import log_mel

__all__ = ["embedding_distance", "frechet_distance", "timbre_features"]

_CEPSTRUM = 16
_BANDS = 64
_LOWEST_DB = -80.0
_STRETCH_S, _STEP_S, _HOP_S = 0.5, 0.125, 0.008
_MODULATIONS_HZ = (2.0, 4.0, 8.0, 16.0, 32.0, 62.5)


def timbre_features(x: Sound, sample_rate: float) -> Tensor:
    """A vector for each half second of sound, an eighth of a second apart.

    Args:
        x: floating point samples; channels are averaged.
        sample_rate: in Hz, 8000 or more.

    Shape:
        ``[T]``, ``[C, T]`` or ``[1, C, T]`` to ``[stretches, 37]``: means and deviations of 16 coefficients
        of the mel cepstrum (64 bands of at least -80 dB; scaled so that a difference is the mean square one
        of the bands), then the deviation of the level in five octaves of modulation between 2 and 62.5 Hz;
        all in dB. A sound shorter than a stretch is followed by silence.

    Raises:
        ShapeError: it is no sound.
        NonFiniteError: it holds NaN or infinity.
        TorchbendError: the sample rate is too low.
    """
    if sample_rate < 8000:
        raise TorchbendError(
            "the sample rate is too low", site="timbre_features", wanted="8000 Hz", got=sample_rate
        )
    hop, stretch, step = round(_HOP_S * sample_rate), round(_STRETCH_S / _HOP_S), round(_STEP_S / _HOP_S)
    sound = to_mono(x)
    sound = torch.nn.functional.pad(sound, (0, max(0, stretch * hop - len(sound))))
    n_fft = 2 ** round(math.log2(0.046 * sample_rate))
    mel = log_mel(sound, sample_rate, n_fft, hop, _BANDS).clamp_min(_LOWEST_DB).double()
    cepstrum = _cosines(_CEPSTRUM, _BANDS) @ mel / math.sqrt(_BANDS)
    pieces = cepstrum.unfold(1, stretch, step)
    levels = (10 ** (mel / 10)).sum(0).log10().mul(10).unfold(0, stretch, step)
    return torch.cat([pieces.mean(2).T, pieces.std(2).T, _modulations(levels)], 1)


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The squared 2-Wasserstein distance of two normal distributions with the sets' means and covariances.

    ``|m_a - m_b|^2 + trace(S_a + S_b - 2 (S_a S_b)^(1/2))`` (Dowson and Landau, 1982). Sets with few more
    vectors than dimensions give an upwards biased distance: compare sets of one size.

    Args:
        a: vectors, at least two.
        b: others, at least two.

    Shape:
        ``[n, D]`` and ``[m, D]``.

    Returns:
        0 or more.

    Raises:
        ShapeError: they are no two sets of vectors of one dimension.

    >>> frechet_distance(torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [5.0]]))
    9.0
    """
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ShapeError(
            "the distance is one of two sets of vectors",
            site="frechet_distance",
            wanted="[n, D] and [m, D] with n and m of 2 or more",
            got=f"{list(a.shape)} and {list(b.shape)}",
        )
    a, b = a.double(), b.double()
    between = (a.mean(0) - b.mean(0)).square().sum()
    first, second = (torch.cov(x.T).reshape(a.shape[1], a.shape[1]) for x in (a, b))
    values, vectors = torch.linalg.eigh(first)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    common = torch.linalg.eigvalsh(root @ second @ root).clamp_min(0).sqrt().sum()
    return max(0.0, float(between + first.trace() + second.trace() - 2 * common))


def embedding_distance(reference: Sequence[Sound], made: Sequence[Sound], sample_rate: float) -> float:
    """`frechet_distance` of the `timbre_features` of two collections of sounds.

    Args:
        reference: sounds that were wanted, a second or more in all.
        made: sounds that are judged; neither number nor lengths have to agree.
        sample_rate: of all, in Hz, 8000 or more.

    Returns:
        Squared decibels, 0 or more; a gain of 6 dB alone gives 36.

    Raises:
        ShapeError: a collection is too short, or holds what is no sound.
        NonFiniteError: a sound holds NaN or infinity.
        TorchbendError: the sample rate is too low.
    """
    sets = []
    for name, sounds in (("reference", reference), ("made", made)):
        found = [timbre_features(sound, sample_rate) for sound in sounds]
        if sum(len(part) for part in found) < 2:
            raise ShapeError("too little sound to compare", site=name, wanted="a second or more")
        sets.append(torch.cat(found))
    return frechet_distance(sets[0], sets[1])


def _cosines(count: int, bands: int) -> Tensor:
    """The first rows of the orthonormal discrete cosine transform, type II: ``[count, bands]``."""
    row, column = torch.arange(count, dtype=torch.float64)[:, None], torch.arange(bands, dtype=torch.float64)
    table = torch.cos(math.pi / bands * (column + 0.5) * row) * math.sqrt(2 / bands)
    table[0] /= math.sqrt(2)
    return table


def _modulations(levels: Tensor) -> Tensor:
    """Deviation of the level in octaves of modulation: ``[stretches, frames]`` to ``[stretches, 5]``."""
    count = levels.shape[1]
    window = torch.hann_window(count, dtype=levels.dtype)
    spectrum = torch.fft.rfft((levels - levels.mean(1, keepdim=True)) * window)
    power = spectrum.abs().square() * (2 / (count * window.square().sum()))
    rate = torch.fft.rfftfreq(count, _HOP_S)
    pairs = zip(_MODULATIONS_HZ[:-1], _MODULATIONS_HZ[1:], strict=True)
    bands = [power[:, (rate >= low) & (rate < high)].sum(1) for low, high in pairs]
    return torch.stack(bands, 1).sqrt()
