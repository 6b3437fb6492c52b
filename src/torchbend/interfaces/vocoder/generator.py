"""The generator of HiFi-GAN: mel bands to sound.

Kong, Kim and Bae, "HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech
Synthesis", 2020, arXiv 2010.05646: section 2.2, and appendix A.1 for its three sizes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.errors import CheckpointError

__all__ = ["Generator", "HifiGanSizes"]

_EDGE = 7
"""Taps of the first and of the last convolution."""


@dataclass(frozen=True)
class HifiGanSizes:
    """The sizes of a generator; by default those of the paper's V1.

    Attributes:
        bands: mel bands that go in.
        channels: after the first convolution; each stage halves them.
        rates: by which each stage has more samples than the one before.
        kernels: taps of each stage's transposed convolution.
        block_kernels: taps of the residual blocks that stand side by side in a stage.
        block_dilations: of each of these blocks, the distances of taps in its layers.
        two: blocks have two convolutions in each layer (``resblock`` 1 of the paper), or one (2).
        slope: of the activations below zero.
    """

    bands: int = 80
    channels: int = 512
    rates: tuple[int, ...] = (8, 8, 2, 2)
    kernels: tuple[int, ...] = (16, 16, 4, 4)
    block_kernels: tuple[int, ...] = (3, 7, 11)
    block_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    two: bool = True
    slope: float = 0.1

    def __post_init__(self) -> None:
        fitting = len(self.rates) == len(self.kernels) > 0
        fitting &= len(self.block_kernels) == len(self.block_dilations) > 0
        fitting &= all(kernel >= rate > 0 for rate, kernel in zip(self.rates, self.kernels, strict=False))
        fitting &= self.channels % 2 ** len(self.rates) == 0
        fitting &= all(
            (kernel - rate) % 2 == 0 for rate, kernel in zip(self.rates, self.kernels, strict=False)
        )
        if not fitting:
            raise CheckpointError(
                "no generator has these sizes",
                site="config.json",
                wanted="as many kernels as rates, by an even number longer; dilations for each block kernel; "
                f"channels that can be halved {len(self.rates)} times",
                got=f"rates {self.rates}, kernels {self.kernels}, {self.channels} channels",
            )

    @property
    def hop(self) -> int:
        """Samples for each frame of mel bands."""
        return math.prod(self.rates)

    @property
    def reach(self) -> int:
        """Frames to either side that a sample depends on, at most."""
        frames, rate = _EDGE // 2 + 0.0, 1
        for factor, kernel in zip(self.rates, self.kernels, strict=True):
            frames += math.ceil(kernel / factor / 2) / rate
            rate *= factor
            frames += max(self._block_reach(k, d) for k, d in self._blocks()) / rate
        return math.ceil(frames + _EDGE // 2 / rate)

    def _blocks(self) -> list[tuple[int, tuple[int, ...]]]:
        return list(zip(self.block_kernels, self.block_dilations, strict=True))

    def _block_reach(self, kernel: int, dilations: tuple[int, ...]) -> int:
        return sum((kernel - 1) // 2 * (dilation + self.two) for dilation in dilations)


class ResidualBlock(nn.Module):
    """Dilated convolutions, each beside the signal.

    Args:
        channels: of the signal.
        kernel: taps.
        dilations: distances of taps, layer by layer.
        slope: of the activations below zero.
    """

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.convs1 = nn.ModuleList(_same(channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_same(channels, kernel, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, channels, T]`` in and out."""
        for first, second in zip(self.convs1, self.convs2, strict=True):
            x = second(F.leaky_relu(first(F.leaky_relu(x, self.slope)), self.slope)) + x
        return x


class SmallResidualBlock(nn.Module):
    """As `ResidualBlock`, with one convolution in each layer; arguments are the same."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.convs = nn.ModuleList(_same(channels, kernel, dilation) for dilation in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, channels, T]`` in and out."""
        for conv in self.convs:
            x = conv(F.leaky_relu(x, self.slope)) + x
        return x


class Generator(nn.Module):
    """Mel bands to sound. Weights have the names of the paper's published code (``ups.0.weight``, ...).

    Args:
        sizes: of its layers.
    """

    def __init__(self, sizes: HifiGanSizes) -> None:
        super().__init__()
        self.sizes = sizes
        width = sizes.channels
        self.conv_pre = nn.Conv1d(sizes.bands, width, _EDGE, padding=_EDGE // 2)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        kind = ResidualBlock if sizes.two else SmallResidualBlock
        for rate, kernel in zip(sizes.rates, sizes.kernels, strict=True):
            self.ups.append(nn.ConvTranspose1d(width, width // 2, kernel, rate, padding=(kernel - rate) // 2))
            width //= 2
            self.resblocks.extend(kind(width, k, d, sizes.slope) for k, d in sizes._blocks())
        self.conv_post = nn.Conv1d(width, 1, _EDGE, padding=_EDGE // 2)

    def forward(self, mel: Tensor) -> Tensor:
        """Shape ``[B, bands, frames]`` to ``[B, 1, frames * hop]``."""
        beside = len(self.sizes.block_kernels)
        x = self.conv_pre(mel)
        for stage, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, self.sizes.slope))
            total = self.resblocks[stage * beside](x)
            for block in self.resblocks[stage * beside + 1 : (stage + 1) * beside]:
                total = total + block(x)
            x = total / beside
        return torch.tanh(self.conv_post(F.leaky_relu(x)))


def _same(channels: int, kernel: int, dilation: int) -> nn.Conv1d:
    return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=(kernel - 1) // 2 * dilation)
