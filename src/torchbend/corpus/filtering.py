"""Filters for excerpts: convolution in blocks, an all-pass, the inverse of a derivative, other rates."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from torchbend.errors import MissingExtraError

__all__ = ["allpass_response", "convolve", "integrate", "resampled"]

Samples: TypeAlias = NDArray[np.float32]

_NEGLIGIBLE = 1e-8
"""Where the tail of a response is cut, beside its largest value."""

_BLOCK = 8192
"""Of the Fourier transform, for a response of about 2000 samples: small enough to stay in the cache."""


def convolve(x: Samples, response: NDArray[np.floating]) -> Samples:
    """A signal through a filter that begins at rest, by overlap-save.

    Args:
        x: the signal.
        response: the filter's response to a pulse, ``[taps]``.

    Shape:
        ``[channels, frames]`` stays.
    """
    taps, (channels, frames) = len(response), x.shape
    size = max(_BLOCK, 1 << math.ceil(math.log2(2 * taps)))
    hop = size - taps + 1
    blocks = -(-frames // hop)
    padded = torch.zeros(channels, taps - 1 + blocks * hop)
    padded[:, taps - 1 : taps - 1 + frames] = torch.from_numpy(np.ascontiguousarray(x))
    spectrum = torch.fft.rfft(torch.from_numpy(response.astype(np.float32)), size)
    blocks_spectra = torch.fft.rfft(padded.unfold(-1, size, hop))
    blocks_spectra *= spectrum
    filtered = torch.fft.irfft(blocks_spectra, size)
    out: Samples = filtered[..., taps - 1 :].reshape(channels, -1)[:, :frames].contiguous().numpy()
    return out


def allpass_response(angle: float, radius: float) -> NDArray[np.float64]:
    """The response to a pulse of the all-pass filter whose poles are ``radius * exp(+-1j * angle)``.

    With ``a = [1, -2 radius cos(angle), radius ** 2]`` the filter is ``a`` reversed over ``a``. The response
    of ``1 / a`` is ``radius ** n * sin((n + 1) angle) / sin(angle)``.

    Args:
        angle: in radians for each sample, in (0, pi).
        radius: in (0, 1).

    Shape:
        ``[taps]``: as many as it takes to fade.

    >>> bool(abs((allpass_response(0.1, 0.9) ** 2).sum() - 1) < 1e-7)
    True
    """
    taps = math.ceil(math.log(_NEGLIGIBLE) / math.log(radius)) + 3
    n = np.arange(taps)
    poles: NDArray[np.float64] = radius**n * np.sin((n + 1) * angle) / math.sin(angle)
    response = radius**2 * poles
    response[1:] -= 2 * radius * math.cos(angle) * poles[:-1]
    response[2:] += poles[:-2]
    return response


def integrate(x: Samples, sample_rate: int) -> Samples:
    """What a signal was before its derivative was taken, without what lies below about 10 Hz.

    The filter is ``2 (c, -c) / (1, -2 p, c)`` with ``p = 1 / (1 + 2 pi 10 / sample_rate)``, ``c = p ** 2``:
    two poles at ``p``, one zero at 1; the 2 undoes the half of the derivative. For listening to a model that
    was trained on derivatives.

    Args:
        x: half the differences of neighbouring samples.
        sample_rate: in Hz.

    Shape:
        ``[channels, frames]`` stays.
    """
    pole = 1 / (1 + 2 * math.pi * 10 / sample_rate)
    taps = min(x.shape[1], math.ceil(math.log(_NEGLIGIBLE) / math.log(pole)))
    n = np.arange(taps)
    return convolve(x, 2 * pole**2 * ((n + 1) * pole**n - n * pole ** (n - 1.0)))


def resampled(x: Samples, from_rate: float, to_rate: float) -> Samples:
    """A signal at another rate; at its ends it goes on as its mean.

    Args:
        x: the signal.
        from_rate: of ``x``, above 0, in any unit.
        to_rate: wanted, in the same unit.

    Shape:
        ``[channels, frames]`` to ``[channels, round(frames * to_rate / from_rate)]``.

    Raises:
        MissingExtraError: soxr is not installed.
    """
    try:
        import soxr
    except (ImportError, OSError) as error:
        raise MissingExtraError("resampling needs soxr", next_step="pip install soxr") from error
    mean = x.mean(1, keepdims=True)
    length = round(x.shape[1] * to_rate / from_rate)
    found = soxr.resample(np.ascontiguousarray((x - mean).T), from_rate, to_rate, quality="HQ").T
    out = np.zeros((x.shape[0], length), np.float32)
    out[:, : found.shape[1]] = found[:, :length]
    out += mean
    return out
