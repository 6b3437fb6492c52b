"""The residual units of both generations."""

from __future__ import annotations

from torch import Tensor, nn

from torchbend.rave.activations import leaky_relu
from torchbend.rave.branches import Aligned, Residual
from torchbend.rave.convolution import NormConv1d
from torchbend.rave.padding import PaddingMode, padding
from torchbend.rave.streaming import Delay, Walk, follow

__all__ = ["DilatedUnit", "Inner", "ResidualStack", "dilated_residual"]


class Inner(nn.Module):
    """A module under the name ``net``, as checkpoints name it.

    Args:
        net: the module.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through the module."""
        return follow(self.net, delay, walk)

    def forward(self, x: Tensor) -> Tensor:
        """What the module gives."""
        return self.net(x)  # type: ignore[no-any-return]


class DilatedUnit(Inner):
    """A dilated and a pointwise convolution, each after a leaky ReLU.

    Args:
        channels: of the signal.
        kernel: taps of the dilated convolution.
        dilation: samples between them.
        mode: padding.
    """

    def __init__(self, channels: int, kernel: int, dilation: int, mode: PaddingMode) -> None:
        super().__init__(
            nn.Sequential(
                leaky_relu(),
                NormConv1d(
                    channels, channels, kernel, pad=padding(kernel, dilation, mode), dilation=dilation
                ),
                leaky_relu(),
                NormConv1d(channels, channels, 1),
            )
        )


def dilated_residual(channels: int, kernel: int, dilation: int, mode: PaddingMode) -> Residual:
    """A `DilatedUnit` whose output is added to its input."""
    return Residual(DilatedUnit(channels, kernel, dilation, mode), channels)


class ResidualStack(nn.Module):
    """Chains of residual layers with different kernels, summed: the residual part of the first generator.

    Args:
        channels: of the signal.
        kernels: one chain for each kernel size.
        dilations: one residual layer of a chain for each item, one convolution for each of its dilations.
        mode: padding.
    """

    def __init__(
        self,
        channels: int,
        kernels: tuple[int, ...],
        dilations: tuple[tuple[int, ...], ...],
        mode: PaddingMode,
    ) -> None:
        super().__init__()
        chains = [
            Inner(nn.Sequential(*(Inner(_layer(channels, kernel, each, mode)) for each in dilations)))
            for kernel in kernels
        ]
        self.net = Aligned(chains, [channels] * len(chains))

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through each chain."""
        return self.net.follow(delay, walk)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, C, T]`` in and out."""
        total, *others = self.net(x)
        for other in others:
            total = total + other
        return total  # type: ignore[no-any-return]


def _layer(channels: int, kernel: int, dilations: tuple[int, ...], mode: PaddingMode) -> Residual:
    steps: list[nn.Module] = []
    for dilation in dilations:
        pad = padding(kernel, dilation, mode)
        steps += [leaky_relu(), NormConv1d(channels, channels, kernel, pad=pad, dilation=dilation)]
    return Residual(nn.Sequential(*steps), channels)
