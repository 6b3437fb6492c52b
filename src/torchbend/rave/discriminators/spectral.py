"""Discriminators on complex spectrograms at several resolutions (EnCodec, arXiv 2210.13438, section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torchbend.rave.config import SpectralConfig
from torchbend.rave.discriminators.convnet import ConvNet, Features, NormConv, check_audio

__all__ = ["ComplexSTFT", "MultiScaleSpectral1dDiscriminator", "MultiScaleSpectralDiscriminator"]


class ComplexSTFT(nn.Module):
    """Real and imaginary parts of a spectrogram, as channels.

    Args:
        size: of window and transform, in samples; the hop is a quarter.
        centered: frames lie around their time, the signal reflected at its ends; else they start at it.
        normalized: divide by the root of the window's energy.
    """

    window: Tensor

    def __init__(self, size: int, *, centered: bool, normalized: bool) -> None:
        super().__init__()
        self.size, self.centered, self.normalized = size, centered, normalized
        self.register_buffer("window", torch.hann_window(size))

    @property
    def least(self) -> int:
        """The shortest signal that it takes, in samples."""
        return self.size // 2 + 1 if self.centered else self.size

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, C, T]`` to ``[B, C, 2, frequencies, frames]``: the real part first."""
        spectrum = torch.stft(
            x.flatten(0, 1),
            self.size,
            self.size // 4,
            window=self.window,
            center=self.centered,
            return_complex=True,
        )
        if self.normalized:
            spectrum = spectrum / self.window.square().sum().sqrt()
        parts = torch.view_as_real(spectrum).permute(0, 3, 1, 2)
        return parts.reshape(*x.shape[:2], *parts.shape[1:])


class SpectrogramNet(nn.Module):
    """Convolutions along frequency and time, dilated in time, then scores.

    Args:
        inputs: channels in.
        capacity: channels of the layers.
    """

    def __init__(self, inputs: int, capacity: int) -> None:
        super().__init__()
        layers = [_conv(inputs, capacity, (9, 3))]
        layers += [_conv(capacity, capacity, (9, 3), stride=(2, 1), dilation=(1, d)) for d in (1, 2, 4)]
        layers += [_conv(capacity, capacity, (3, 3)), _conv(capacity, 1, (3, 3))]
        net: list[nn.Module] = []
        for layer in layers:
            net += [layer, nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*net[:-1])

    def forward(self, x: Tensor) -> list[Tensor]:
        """The output of every layer, after its activation; the scores have none.

        Shape: ``[B, inputs, frequencies, frames]`` to a list of ``[B, channels, frequencies, frames]``.
        """
        features: list[Tensor] = []
        last = len(self.net) - 1
        for index, layer in enumerate(self.net):
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU) or index == last:
                features.append(x)
        return features


def _conv(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
) -> NormConv:
    pad = tuple((taps - 1) * step // 2 for taps, step in zip(kernel, dilation, strict=True))
    return NormConv(inputs, outputs, kernel, stride=stride, pad=pad, dilation=dilation)


def _transforms(config: SpectralConfig) -> nn.ModuleList:
    return nn.ModuleList(ComplexSTFT(size, centered=False, normalized=True) for size in config.scales)


class MultiScaleSpectralDiscriminator(nn.Module):
    """One two-dimensional network for each resolution.

    Args:
        config: its sizes.
        channels: of the audio.
    """

    def __init__(self, config: SpectralConfig, channels: int) -> None:
        super().__init__()
        self.channels, self.least = channels, max(config.scales)
        self.stfts = _transforms(config)
        self.layers = nn.ModuleList(SpectrogramNet(2 * channels, config.capacity) for _ in config.scales)

    def forward(self, x: Tensor) -> Features:
        """Features for each resolution, ``[B, channels, frequencies, frames]`` each.

        Args:
            x: audio, shape ``[B, C, T]``.

        Raises:
            ShapeError: the signal has another number of channels, or is shorter than the longest window.
        """
        check_audio(x, self.channels, self.least, "MultiScaleSpectralDiscriminator")
        # All real parts, then all imaginary parts.
        return [
            layer(stft(x).transpose(1, 2).flatten(1, 2))
            for stft, layer in zip(self.stfts, self.layers, strict=True)
        ]


class MultiScaleSpectral1dDiscriminator(nn.Module):
    """One one-dimensional network for each resolution: the frequencies are its channels.

    Args:
        config: its sizes.
        channels: of the audio.
    """

    def __init__(self, config: SpectralConfig, channels: int) -> None:
        super().__init__()
        self.channels, self.least = channels, max(config.scales)
        self.stfts = _transforms(config)
        self.layers = nn.ModuleList(
            ConvNet(channels * (size + 2), config.capacity, (5,), (2,), 4) for size in config.scales
        )

    def forward(self, x: Tensor) -> Features:
        """Features for each resolution, ``[B, channels, frames]`` each.

        Args:
            x: audio, shape ``[B, C, T]``.

        Raises:
            ShapeError: the signal has another number of channels, or is shorter than the longest window.
        """
        check_audio(x, self.channels, self.least, "MultiScaleSpectral1dDiscriminator")
        return [
            layer(stft(x).transpose(1, 2).flatten(1, 3))
            for stft, layer in zip(self.stfts, self.layers, strict=True)
        ]
