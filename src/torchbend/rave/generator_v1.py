"""The first generator (arXiv 2111.05011, section 3 and appendix)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torchbend.rave.activations import leaky_relu
from torchbend.rave.config import GeneratorV1Config
from torchbend.rave.convolution import NormConv1d, NormConvTranspose1d
from torchbend.rave.filtered_noise import mod_sigmoid
from torchbend.rave.noise import NoiseV1
from torchbend.rave.padding import PaddingMode, padding
from torchbend.rave.streaming import Delay, DelayLine, Walk, follow
from torchbend.rave.units import Inner, ResidualStack

__all__ = ["GeneratorV1"]


class Synthesis(nn.Module):
    """Waveform, loudness and noise branches, kept in step.

    Args:
        config: sizes.
        inputs: channels of the features.
        outputs: channels of the waveform.
        mode: padding.
    """

    def __init__(self, config: GeneratorV1Config, inputs: int, outputs: int, mode: PaddingMode) -> None:
        super().__init__()
        stride = config.loudness_stride
        kernel = 2 * stride + 1
        self.stride = stride
        branches: list[nn.Module] = [
            NormConv1d(inputs, outputs, 7, pad=padding(7, 1, mode)),
            NormConv1d(inputs, 1, kernel, stride=stride, pad=padding(kernel, 1, mode)),
        ]
        if config.noise is not None:
            branches.append(NoiseV1(config.noise, inputs, outputs, mode))
        self.branches = nn.ModuleList(branches)
        self.lines = nn.ModuleList([DelayLine(size) for size in (outputs, 1, outputs)[: len(branches)]])

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through each branch, and to the line after it."""
        ends = [follow(branch, delay, walk) for branch in self.branches]
        ends[1] = ends[1].faster(self.stride)
        latest = max(ends, key=lambda end: end.frames)
        for line, end in zip(self.lines, ends, strict=True):
            walk.line(line, end, int(latest.frames - end.frames))  # type: ignore[arg-type]
        return Delay(latest.frames, delay.told)

    def forward(self, x: Tensor, with_noise: bool) -> Tensor:
        """Shape ``[B, inputs, T]`` to ``[B, outputs, T]``."""
        loudness = self.branches[1](x)
        if self.stride > 1:
            loudness = loudness.repeat_interleave(self.stride, -1)
        loudness = self.lines[1](loudness)
        wave: Tensor = torch.tanh(self.lines[0](self.branches[0](x))) * mod_sigmoid(loudness)
        if with_noise and len(self.branches) > 2:
            wave = wave + self.lines[2](self.branches[2](x))
        return wave


class GeneratorV1(nn.Module):
    """Transposed convolutions, each with a stack of residual layers, then the synthesis.

    The noise is heard once ``warmed_up`` is set, as in the second phase of training.

    Args:
        config: sizes.
        inputs: channels of the latents, noise included.
        outputs: channels of the output.
        mode: padding.
    """

    warmed_up: Tensor

    def __init__(self, config: GeneratorV1Config, inputs: int, outputs: int, mode: PaddingMode) -> None:
        super().__init__()
        channels = config.capacity * 2 ** len(config.ratios)
        layers: list[nn.Module] = [NormConv1d(inputs, channels, 7, pad=padding(7, 1, mode))]
        for ratio in config.ratios:
            narrower = channels // 2
            upsample: nn.Module
            if ratio > 1:
                upsample = NormConvTranspose1d(channels, narrower, ratio)
            else:
                upsample = NormConv1d(channels, narrower, 3, pad=padding(3, 1, mode))
            layers.append(Inner(nn.Sequential(leaky_relu(), upsample)))
            layers.append(ResidualStack(narrower, config.kernels, config.dilations, mode))
            channels = narrower
        self.net = nn.Sequential(*layers)
        self.synth = Synthesis(config, channels, outputs, mode)
        self.register_buffer("warmed_up", torch.tensor(0))

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through the layers and the branches."""
        return follow(self.synth, follow(self.net, delay, walk), walk)

    def forward(self, z: Tensor) -> Tensor:
        """Shape ``[B, inputs, T]`` to ``[B, outputs, T * prod(ratios)]``."""
        return self.synth(self.net(z), bool(self.warmed_up))  # type: ignore[no-any-return]
