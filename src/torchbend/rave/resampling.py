"""Resampling by a whole number, of whole signals and of streams."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from torchbend.errors import RAVEConfigError
from torchbend.rave.convolution import Conv1d
from torchbend.rave.pqmf_design import kaiser_beta
from torchbend.rave.streaming import Delay, Opening

__all__ = ["Resampling"]

ATTENUATION = 130.0
"""Of what lies beyond the lower rate's Nyquist frequency, in dB."""

PASSED = 0.8
"""The share of what lies below it that passes unchanged."""


class Resampling(nn.Module):
    """Between a host's sample rate and a model's, by a linear-phase low-pass filter in polyphase form.

    Each channel is resampled by itself. Half a filter of zeros comes before and after a whole signal; in a
    stream the output is late by it.

    Args:
        ratio: the host's rate divided by the model's; at least 2.
        channels: of the signals.

    Raises:
        RAVEConfigError: the ratio is no whole number above 1.
    """

    def __init__(self, ratio: int, channels: int = 1) -> None:
        super().__init__()
        if not isinstance(ratio, int) or ratio < 2:
            raise RAVEConfigError(
                "sample rates that differ by this factor are not supported",
                site="ratio",
                wanted="a whole number above 1",
                got=ratio,
            )
        self.ratio, self.channels = ratio, channels
        taps = torch.from_numpy(_low_pass(ratio))
        half = (len(taps) - 1) // 2
        with torch.random.fork_rng(devices=[]):  # the weights that it draws are not used
            self.lower = Conv1d(1, 1, len(taps), stride=ratio, pad=(half, half))
        self.lower.weight.data = taps[None, None].float()
        before, after = half // ratio, (half + ratio - 1) // ratio
        phases = torch.zeros(ratio, 1, before + after + 1)
        for phase in range(ratio):
            for place in range(before + after + 1):
                tap = (before - place) * ratio + phase + half
                if 0 <= tap < len(taps):
                    phases[phase, 0, place] = ratio * taps[tap]
        with torch.random.fork_rng(devices=[]):
            self.higher = Conv1d(1, ratio, before + after + 1, pad=(before, after))
        self.higher.weight.data = phases
        self.requires_grad_(False)

    def open(self, batch: int) -> None:
        """Take what comes as a stream, of up to ``batch`` signals; see `RAVE.stream`."""
        walk = Opening(batch * self.channels, self.lower.weight)
        walk.leaf(self.lower, Delay())
        walk.leaf(self.higher, Delay())

    @property
    def delays(self) -> tuple[int, int]:
        """How late a stream is that comes down, and one that goes up, in samples of the host's rate."""
        down = self.lower.after(Delay()).frames * self.ratio
        return int(down), int(self.higher.after(Delay()).frames * self.ratio)

    def down(self, x: Tensor) -> Tensor:
        """Shape ``[B, C, T]`` to ``[B, C, T / ratio]``."""
        y: Tensor = self.lower(x.reshape(-1, 1, x.shape[-1]))
        return y.reshape(-1, self.channels, y.shape[-1])

    def up(self, x: Tensor) -> Tensor:
        """Shape ``[B, C, T]`` to ``[B, C, T * ratio]``."""
        y: Tensor = self.higher(x.reshape(-1, 1, x.shape[-1]))
        y = y.transpose(1, 2).reshape(y.shape[0], 1, -1)
        return y.reshape(-1, self.channels, y.shape[-1])


def _low_pass(ratio: int) -> NDArray[np.float64]:
    """Linear phase, by a Kaiser window; half of it lasts whole samples of the lower rate. Its sum is 1."""
    width = (1 - PASSED) * math.pi / ratio
    half = ratio * math.ceil((ATTENUATION - 7.95) / (2 * 2.285 * width * ratio))
    cutoff = (1 + PASSED) / (2 * ratio)
    taps = np.sinc(cutoff * np.arange(-half, half + 1)) * np.kaiser(2 * half + 1, kaiser_beta(ATTENUATION))
    normal: NDArray[np.float64] = taps / taps.sum()
    return normal
