"""The mel scale and its bank of triangular filters."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from torchbend.errors import TorchbendError

__all__ = ["hz_to_mel", "mel_filterbank", "mel_to_hz"]

_LINEAR_STEP = 200.0 / 3
_CORNER_HZ = 1000.0
_CORNER_MEL = _CORNER_HZ / _LINEAR_STEP
_LOG_STEP = math.log(6.4) / 27


def hz_to_mel(frequency: Tensor) -> Tensor:
    """Frequency in Hz (0 or more) to mel, on the scale of M. Slaney's Auditory Toolbox.

    Linear below 1000 Hz (one mel for 66.7 Hz), logarithmic above (27 mels for a factor of 6.4): "Auditory
    Toolbox, Version 2", Interval Research technical report 1998-010, function ``mfcc``.

    >>> hz_to_mel(torch.tensor([0.0, 1000.0, 6400.0]))
    tensor([ 0., 15., 42.])
    """
    above = _CORNER_MEL + (frequency.clamp_min(1e-9) / _CORNER_HZ).log() / _LOG_STEP
    return torch.where(frequency < _CORNER_HZ, frequency / _LINEAR_STEP, above)


def mel_to_hz(mel: Tensor) -> Tensor:
    """The inverse of :func:`hz_to_mel`."""
    above = _CORNER_HZ * ((mel - _CORNER_MEL) * _LOG_STEP).exp()
    return torch.where(mel < _CORNER_MEL, mel * _LINEAR_STEP, above)


def mel_filterbank(sample_rate: float, n_fft: int, n_mels: int) -> Tensor:
    """Triangles of height 1, evenly spaced on the mel scale from 0 Hz to Nyquist.

    A triangle so narrow that it holds no bin of the spectrum takes the bin nearest to its centre, so that
    no band is empty.

    Args:
        sample_rate: in Hz, above 0.
        n_fft: length of the Fourier transform, 2 or more.
        n_mels: number of bands, 1 or more.

    Returns:
        Weights ``[n_mels, n_fft // 2 + 1]`` in [0, 1], float32.

    Raises:
        TorchbendError: an argument is out of its range.
    """
    if sample_rate <= 0 or n_fft < 2 or n_mels < 1:
        raise TorchbendError(
            "no mel filters for this",
            site="mel_filterbank",
            wanted="sample_rate > 0, n_fft >= 2, n_mels >= 1",
            got=f"sample_rate={sample_rate}, n_fft={n_fft}, n_mels={n_mels}",
        )
    bins = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    top = hz_to_mel(torch.tensor(sample_rate / 2, dtype=torch.float64)).item()
    edges = mel_to_hz(torch.linspace(0, top, n_mels + 2, dtype=torch.float64))
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    bank = torch.minimum(rising, falling).clamp_min(0)
    empty = bank.sum(1) == 0
    nearest = (bins - centre).abs().argmin(1)
    bank[empty, nearest[empty]] = 1
    return bank.float()
