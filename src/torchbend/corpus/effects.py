"""Augmentations of excerpts while training: silence, gain, missing bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from torchbend.corpus.transform import Samples, Transform

__all__ = ["FrequencyMasking", "RandomGain", "RandomMute"]


_WINDOW = 4096


@dataclass(frozen=True)
class RandomMute(Transform):
    """Now and then an excerpt is silence, so that the model learns to be silent.

    Args:
        probability: how often, in [0, 1].
    """

    probability: float = 0.1

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """As many frames."""
        return np.zeros_like(x) if rng.random() < self.probability else x


@dataclass(frozen=True)
class RandomGain(Transform):
    """A gain drawn evenly in dB.

    Args:
        low: the smallest gain in dB.
        high: the largest.
        probability: how often anything changes, in [0, 1].
        limit: whether the gain is lowered where the peak would pass full scale.
    """

    low: float = -6.0
    high: float = 3.0
    probability: float = 0.5
    limit: bool = True

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """As many frames."""
        chance, decibels = rng.random(), rng.uniform(self.low, self.high)
        if chance >= self.probability:
            return x
        gain = 10 ** (decibels / 20)
        peak = float(np.abs(x).max(initial=0.0))
        if self.limit and peak * gain > 1:
            gain = 1 / peak
        return x * np.float32(gain)


@dataclass(frozen=True)
class FrequencyMasking(Transform):
    """A random run of frequency bins is silent, of the 2049 of a Fourier transform of 4096 samples.

    Args:
        probability: how often, in [0, 1].
        max_size: one more than the largest number of bins, 2 to 2049.
    """

    probability: float = 0.5
    max_size: int = 80

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """As many frames."""
        bins = _WINDOW // 2 + 1
        chance, size = rng.random(), int(rng.integers(1, self.max_size))
        first = int(rng.integers(bins - size))
        if chance >= self.probability or x.shape[1] <= _WINDOW // 2:
            return x
        window = torch.hann_window(_WINDOW)
        signal = torch.from_numpy(np.ascontiguousarray(x))
        spectrum = torch.stft(signal, _WINDOW, window=window, return_complex=True)
        spectrum[:, first : first + size] = 0
        masked: Samples = torch.istft(spectrum, _WINDOW, window=window, length=x.shape[1]).numpy()
        return masked
