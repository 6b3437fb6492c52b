"""Convolutions with weight normalisation and bias, and the chain of them that most discriminators are."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.errors import RAVEConfigError, ShapeError
from torchbend.rave.normalisation import Normalised

__all__ = ["ConvNet", "Features", "NormConv", "check_audio"]

Features = list[list[Tensor]]
"""For each network the outputs of its layers; the last is the map of scores."""


def check_audio(x: Tensor, channels: int, least: int, site: str) -> None:
    """Refuse what is not audio of the right number of channels and of some length.

    Args:
        x: the input.
        channels: that it must have.
        least: samples that it must have.
        site: who asks.

    Raises:
        ShapeError: the input is not ``[batch, channels, at least so many samples]``.
    """
    if x.dim() == 3 and x.shape[1] == channels and x.shape[2] >= least:
        return
    raise ShapeError(
        "This discriminator cannot take that signal",
        site=site,
        wanted=f"[batch, {channels}, at least {least} samples]",
        got=tuple(x.shape),
        next_step="give audio with the model's number of channels, or build it for another number",
    )


class NormConv(Normalised):
    """A convolution of one or two dimensions with weight normalisation and a bias.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: taps, for each dimension.
        stride: between outputs, for each dimension.
        pad: zeros on both sides, for each dimension.
        dilation: between taps, for each dimension.
        groups: of channels that are convolved apart.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, ...],
        *,
        stride: tuple[int, ...] | None = None,
        pad: tuple[int, ...] | None = None,
        dilation: tuple[int, ...] | None = None,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.kernel, self.groups = inputs, outputs, kernel, groups
        self.stride = stride or (1,) * len(kernel)
        self.pad = pad or (0,) * len(kernel)
        self.dilation = dilation or (1,) * len(kernel)
        bound = 1 / math.sqrt(inputs // groups * math.prod(kernel))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))
        self.make_weight(torch.empty(outputs, inputs // groups, *kernel).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, inputs, ...]`` to ``[B, outputs, ...]``."""
        convolve = F.conv1d if len(self.kernel) == 1 else F.conv2d
        out: Tensor = convolve(x, self.weight, self.bias, self.stride, self.pad, self.dilation, self.groups)
        return out

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.inputs}, {self.outputs}, kernel={self.kernel}, stride={self.stride}"


class ConvNet(nn.Module):
    """Strided convolutions that double the channels, then scores.

    Args:
        inputs: channels in.
        capacity: channels after the first layer.
        kernel: taps, for each dimension; odd.
        stride: of each layer, for each dimension.
        layers: strided convolutions.

    Raises:
        RAVEConfigError: there is no layer.
    """

    def __init__(
        self, inputs: int, capacity: int, kernel: tuple[int, ...], stride: tuple[int, ...], layers: int
    ) -> None:
        super().__init__()
        if layers < 1:
            raise RAVEConfigError(
                "a discriminator without layers", site="layers", wanted="at least 1", got=layers
            )
        pad = tuple(taps // 2 for taps in kernel)
        net: list[nn.Module] = []
        outputs = capacity
        for _ in range(layers):
            net += [NormConv(inputs, outputs, kernel, stride=stride, pad=pad), nn.LeakyReLU(0.2)]
            inputs, outputs = outputs, 2 * outputs
        net.append(nn.Conv1d(inputs, 1, 1) if len(kernel) == 1 else nn.Conv2d(inputs, 1, 1))
        self.net = nn.Sequential(*net)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The output of every convolution, before its activation.

        Shape: ``[B, inputs, ...]`` to a list of ``[B, channels, ...]``, the last with one channel.
        """
        features: list[Tensor] = []
        for layer in self.net:
            x = layer(x)
            if not isinstance(layer, nn.LeakyReLU):
                features.append(x)
        return features
