"""The discriminators of the Descript audio codec (arXiv 2306.06546, section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.rave.config import DescriptConfig
from torchbend.rave.discriminators.convnet import Features, NormConv, check_audio
from torchbend.rave.discriminators.multi_period import fold
from torchbend.rave.discriminators.spectral import ComplexSTFT
from torchbend.rave.pqmf_design import low_pass

__all__ = ["BandDiscriminator", "DescriptDiscriminator", "PeriodDiscriminator", "RateDiscriminator"]


def _layer(conv: NormConv) -> nn.Sequential:
    return nn.Sequential(conv, nn.LeakyReLU(0.1))


def _chain(x: Tensor, layers: Iterable[nn.Module]) -> list[Tensor]:
    """The outputs of layers that follow each other."""
    features: list[Tensor] = []
    for layer in layers:
        x = layer(x)
        features.append(x)
    return features


class PeriodDiscriminator(nn.Module):
    """A two-dimensional network on the signal folded at one period.

    Args:
        period: in samples.
        channels: of the audio.
    """

    def __init__(self, period: int, channels: int) -> None:
        super().__init__()
        self.period = period
        sizes = (channels, 32, 128, 512, 1024, 1024)
        strides = (3, 3, 3, 3, 1)
        self.convs = nn.ModuleList(
            _layer(NormConv(inputs, outputs, (5, 1), stride=(stride, 1), pad=(2, 0)))
            for inputs, outputs, stride in zip(sizes[:-1], sizes[1:], strides, strict=True)
        )
        self.conv_post = NormConv(sizes[-1], 1, (3, 1), pad=(1, 0))
        self.least = period + 1

    def forward(self, x: Tensor) -> list[Tensor]:
        """Shape ``[B, C, T]`` to 6 of ``[B, channels, rows, period]``; the signal's end is reflected."""
        x = F.pad(x, (0, self.period - x.shape[-1] % self.period), "reflect")
        features = _chain(fold(x, self.period), self.convs)
        return [*features, self.conv_post(features[-1])]


class BandDiscriminator(nn.Module):
    """A two-dimensional network on each band of a complex spectrogram.

    Args:
        window: of the spectrogram, in samples; the hop is a quarter.
        bands: edges of the bands, as fractions of the spectrum.
        channels: of the audio.
    """

    def __init__(self, window: int, bands: tuple[tuple[float, float], ...], channels: int) -> None:
        super().__init__()
        frequencies = window // 2 + 1
        self.edges = [(int(low * frequencies), int(high * frequencies)) for low, high in bands]
        self.band_convs = nn.ModuleList(_band_layers(2 * channels) for _ in bands)
        self.conv_post = NormConv(32, 1, (3, 3), pad=(1, 1))
        self.stft = ComplexSTFT(window, centered=True, normalized=False)
        self.least = self.stft.least

    def forward(self, x: Tensor) -> list[Tensor]:
        """Shape ``[B, C, T]`` to 5 of ``[B, 32, frames, frequencies]`` for each band, and the scores."""
        spectrum = self.stft(x).flatten(1, 2).transpose(2, 3)
        features: list[Tensor] = []
        ends: list[Tensor] = []
        for (low, high), layers in zip(self.edges, self.band_convs, strict=True):
            of_band = _chain(spectrum[..., low:high], layers.children())
            features += of_band
            ends.append(of_band[-1])
        return [*features, self.conv_post(torch.cat(ends, -1))]


def _band_layers(inputs: int) -> nn.ModuleList:
    first = NormConv(inputs, 32, (3, 9), pad=(1, 4))
    middle = [NormConv(32, 32, (3, 9), stride=(1, 2), pad=(1, 4)) for _ in range(3)]
    last = NormConv(32, 32, (3, 3), pad=(1, 1))
    return nn.ModuleList(_layer(conv) for conv in (first, *middle, last))


class RateDiscriminator(nn.Module):
    """A one-dimensional network on the signal at a lower rate.

    Args:
        factor: by which the rate is lower.
        channels: of the audio.
    """

    downsampler: Tensor

    def __init__(self, factor: int, channels: int) -> None:
        super().__init__()
        self.factor = factor
        convs = [NormConv(channels, 16, (15,), pad=(7,))]
        sizes = (16, 64, 256, 1024, 1024)
        for inputs, outputs, groups in zip(sizes[:-1], sizes[1:], (4, 16, 64, 256), strict=True):
            convs.append(NormConv(inputs, outputs, (41,), stride=(4,), pad=(20,), groups=groups))
        convs.append(NormConv(1024, 1024, (5,), pad=(2,)))
        self.convs = nn.ModuleList(_layer(conv) for conv in convs)
        self.conv_post = NormConv(1024, 1, (3,), pad=(1,))
        if factor > 1:
            taps = low_pass(math.pi / factor, 140.0)
            self.register_buffer("downsampler", torch.from_numpy(taps.astype(np.float32))[None, None])
        self.least = 1

    def forward(self, x: Tensor) -> list[Tensor]:
        """Shape ``[B, C, T]`` to 7 of ``[B, channels, time]``."""
        if self.factor > 1:
            flat = x.flatten(0, 1)[:, None]
            low = F.conv1d(flat, self.downsampler, None, self.factor, self.downsampler.shape[-1] // 2)
            x = low.reshape(*x.shape[:2], -1)
        features = _chain(x, self.convs)
        return [*features, self.conv_post(features[-1])]


class DescriptDiscriminator(nn.Module):
    """One network for each period, each resolution and each rate.

    Args:
        config: its sizes.
        channels: of the audio.
    """

    def __init__(self, config: DescriptConfig, channels: int) -> None:
        super().__init__()
        self.channels = channels
        parts: list[PeriodDiscriminator | BandDiscriminator | RateDiscriminator] = []
        parts += [PeriodDiscriminator(period, channels) for period in config.periods]
        parts += [BandDiscriminator(window, config.bands, channels) for window in config.windows]
        parts += [RateDiscriminator(factor, channels) for factor in config.rates]
        self.discriminators = nn.ModuleList(parts)
        self.least = max((part.least for part in parts), default=1)

    def forward(self, x: Tensor) -> Features:
        """Features for each network, after their activations.

        Each signal is first centred and brought to a peak of 0.8, each channel on its own.

        Args:
            x: audio, shape ``[B, C, T]``.

        Raises:
            ShapeError: the signal has another number of channels, or half a window is longer than it.
        """
        check_audio(x, self.channels, self.least, "DescriptDiscriminator")
        x = x - x.mean(-1, keepdim=True)
        x = 0.8 * x / (x.abs().amax(-1, keepdim=True) + 1e-9)
        return [part(x) for part in self.discriminators]
