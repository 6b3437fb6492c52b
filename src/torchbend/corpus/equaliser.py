"""Second-order filters by their response, and any response applied to a sound."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from torchbend.corpus.filtering import convolve
from torchbend.corpus.sources import Block

__all__ = ["Biquad", "Response", "filtered", "high_pass", "low_pass", "peak", "shelf", "through"]

Frequencies: TypeAlias = NDArray[np.float64]
Response: TypeAlias = Callable[[Frequencies], NDArray[np.complex128]]
"""The complex gain at frequencies in radians per sample."""

_TAPS = 1 << 13
"""Length of the impulse response: 85 ms at 96 kHz, where a filter of 30 Hz has lost 95 dB."""

BUTTERWORTH = 1 / math.sqrt(2)


@dataclass(frozen=True)
class Biquad:
    """``(b0 + b1 z^-1 + b2 z^-2) / (a0 + a1 z^-1 + a2 z^-2)``."""

    b: tuple[float, float, float]
    a: tuple[float, float, float]

    def response(self, omega: Frequencies) -> NDArray[np.complex128]:
        """The complex gain at frequencies in radians per sample."""
        delay = np.exp(-1j * omega)
        b, a = self.b, self.a
        found: NDArray[np.complex128] = (b[0] + delay * (b[1] + delay * b[2])) / (
            a[0] + delay * (a[1] + delay * a[2])
        )
        return found


# All five are of R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients" (W3C Note,
# 2021). A frequency too close to Nyquist, where the formulae fold back, is taken as 0.98 of it.
def _angle(frequency: float, q: float, sample_rate: float) -> tuple[float, float]:
    omega = 2 * math.pi * min(frequency, 0.49 * sample_rate) / sample_rate
    return math.cos(omega), math.sin(omega) / (2 * q)


def peak(frequency: float, gain: float, q: float, sample_rate: float) -> Biquad:
    """A bell: ``gain`` dB at ``frequency`` Hz, 0 dB far from it; ``q`` is its sharpness."""
    cosine, alpha = _angle(frequency, q, sample_rate)
    a = 10 ** (gain / 40)
    return Biquad((1 + alpha * a, -2 * cosine, 1 - alpha * a), (1 + alpha / a, -2 * cosine, 1 - alpha / a))


def shelf(frequency: float, gain: float, sample_rate: float, high: bool) -> Biquad:
    """``gain`` dB far below (or, if ``high``, above) ``frequency`` Hz, half of it there, 0 dB beyond."""
    cosine, alpha = _angle(frequency, BUTTERWORTH, sample_rate)
    a = 10 ** (gain / 40)
    c, root = (-cosine if high else cosine), 2 * math.sqrt(a) * alpha
    turn = -1 if high else 1
    b = (
        a * (a + 1 - (a - 1) * c + root),
        turn * 2 * a * (a - 1 - (a + 1) * c),
        a * (a + 1 - (a - 1) * c - root),
    )
    return Biquad(
        b, (a + 1 + (a - 1) * c + root, turn * -2 * (a - 1 + (a + 1) * c), a + 1 + (a - 1) * c - root)
    )


def low_pass(frequency: float, sample_rate: float, q: float = BUTTERWORTH) -> Biquad:
    """12 dB per octave above ``frequency`` Hz; 3 dB are gone there."""
    cosine, alpha = _angle(frequency, q, sample_rate)
    return Biquad(((1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2), (1 + alpha, -2 * cosine, 1 - alpha))


def high_pass(frequency: float, sample_rate: float, q: float = BUTTERWORTH) -> Biquad:
    """12 dB per octave below ``frequency`` Hz; 3 dB are gone there."""
    cosine, alpha = _angle(frequency, q, sample_rate)
    return Biquad(((1 + cosine) / 2, -(1 + cosine), (1 + cosine) / 2), (1 + alpha, -2 * cosine, 1 - alpha))


def through(filters: Sequence[Biquad]) -> Response:
    """The response of filters one after the other."""

    def response(omega: Frequencies) -> NDArray[np.complex128]:
        total = np.ones(omega.shape, np.complex128)
        for each in filters:
            total *= each.response(omega)
        return total

    return response


def filtered(samples: Block, response: Response) -> Block:
    """Apply a causal response, as recursive filters would (but for what they ring on after 2^13 samples).

    The impulse response is the inverse Fourier transform of the response.

    Args:
        samples: ``[C, n]``.
        response: of a stable and causal filter, as :func:`through` gives it.

    Shape:
        ``[C, n]`` to ``[C, n]``; what rings on after the end is cut.
    """
    impulse = np.fft.irfft(response(np.linspace(0.0, math.pi, _TAPS // 2 + 1)), _TAPS)
    return convolve(samples, impulse)
