"""The noise branches of both generators: networks that find filters, and the noise that goes through them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from torchbend.rave.activations import activation, leaky_relu
from torchbend.rave.config import NoiseV1Config, NoiseV2Config
from torchbend.rave.convolution import Conv1d
from torchbend.rave.filtered_noise import filter_noise, impulse_responses
from torchbend.rave.padding import PaddingMode, padding
from torchbend.rave.streaming import Delay, Walk, follow

__all__ = ["NoiseV1", "NoiseV2"]


class _Noise(nn.Module):
    """Uniform noise, filtered anew in each frame of ``frame`` samples."""

    net: nn.Module
    outputs: int
    frame: int

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, inputs, T]`` to ``[B, outputs, T]``, random at each call."""
        filters = impulse_responses(self.net(x), self.outputs, self.frame)
        noise = torch.rand_like(filters) * 2 - 1
        return filter_noise(noise, filters)


class NoiseV1(_Noise):
    """The noise branch of the first generator.

    Args:
        config: its sizes.
        inputs: channels of the features.
        outputs: channels of the noise.
        mode: padding.
    """

    target_size: Tensor

    def __init__(self, config: NoiseV1Config, inputs: int, outputs: int, mode: PaddingMode) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for place, ratio in enumerate(config.ratios):
            last = place == len(config.ratios) - 1
            wide = outputs * config.bands if last else inputs
            layers.append(Conv1d(inputs, wide, 3, stride=ratio, pad=padding(3, 1, mode)))
            layers += [] if last else [leaky_relu()]
        self.net = nn.Sequential(*layers)
        self.outputs, self.frame = outputs, math.prod(config.ratios)
        self.register_buffer("target_size", torch.tensor(self.frame))

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through the network; the original aligns it as if nothing came before."""
        start = Delay(delay.frames, 0) if walk.as_original else delay
        end = follow(self.net, start, walk).faster(self.frame)
        return Delay(end.frames, delay.told) if walk.as_original else end


class NoiseV2(_Noise):
    """The noise branch of the second generator; its convolutions look back only.

    Args:
        config: its sizes.
        inputs: channels of the features.
        outputs: channels of the noise.
    """

    target_size: Tensor

    def __init__(self, config: NoiseV2Config, inputs: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for place, ratio in enumerate(config.ratios):
            last = place == len(config.ratios) - 1
            wide = outputs * config.bands if last else config.hidden_size
            layers.append(Conv1d(inputs, wide, 2 * ratio, stride=ratio, pad=(ratio, 0)))
            layers += [] if last else [activation(config.activation, wide)]
            inputs = wide
        self.net = nn.Sequential(*layers)
        self.outputs, self.frame = outputs, math.prod(config.ratios)
        self.register_buffer("target_size", torch.tensor(self.frame))

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through the network."""
        return follow(self.net, delay, walk).faster(self.frame)
