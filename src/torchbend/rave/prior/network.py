"""The network of a prior: it looks back only, and tells how likely each next step is.

The layers are those of WaveNet (van den Oord et al., arXiv 1609.03499): dilated convolutions whose output
goes through a gate, then on to the next layer and into a sum over all layers.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from torchbend.rave.activations import leaky_relu
from torchbend.rave.convolution import Conv1d
from torchbend.rave.prior.config import PriorConfig
from torchbend.rave.streaming import Delay, Walk, follow

__all__ = ["Network", "Residual"]


class Residual(nn.Module):
    """A gated dilated convolution (arXiv 1609.03499, equation 2), added to its input and to the common sum.

    Args:
        channels: in and out.
        skips: channels of the common sum.
        kernel: taps.
        dilation: between taps, in frames.
    """

    def __init__(self, channels: int, skips: int, kernel: int, dilation: int) -> None:
        super().__init__()
        past = ((kernel - 1) * dilation, 0)
        self.dconv = Conv1d(channels, 2 * channels, kernel, pad=past, dilation=dilation, bias=True)
        self.rconv = Conv1d(channels, channels, 1, bias=True)
        self.sconv = Conv1d(channels, skips, 1, bias=True)

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through the only layer with a past."""
        return follow(self.dconv, delay, walk)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Shape ``[B, channels, T]`` to the same, and ``[B, skips, T]``."""
        gate, value = self.dconv(x).chunk(2, 1)
        h = torch.sigmoid(gate) * torch.tanh(value)
        return x + self.rconv(h), self.sconv(h)


class Network(nn.Module):
    """Logits of the next step from the steps so far.

    The names of its parameters are those of the original's checkpoints.

    Args:
        config: its sizes.
    """

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        kernel, width, skips = config.kernel_size, config.residual_size, config.skip_size
        values, latents = config.latents * config.resolution, config.latents
        first = Conv1d(values, width, kernel, pad=(kernel - 1, 0), groups=latents, bias=True)
        self.pre_net = nn.Sequential(first, leaky_relu())
        self.residuals = nn.ModuleList(
            Residual(width, skips, kernel, dilation) for dilation in config.dilations
        )
        self.post_net = nn.Sequential(
            Conv1d(skips, skips, 1, bias=True),
            leaky_relu(),
            Conv1d(skips, values, 1, groups=latents, bias=True),
        )

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through all layers; no output is late."""
        for part in (self.pre_net, *self.residuals, self.post_net):
            delay = follow(part, delay, walk)
        return delay

    def logits(self, one_hot: Tensor) -> Tensor:
        """Logits of each value of each latent at the step after each step.

        Args:
            one_hot: shape ``[B, latents * resolution, T]``; in a stream, the steps after those before.

        Returns:
            The same shape.
        """
        x: Tensor = self.pre_net(one_hot)
        total: Tensor | None = None
        for layer in self.residuals:
            x, skip = cast(Residual, layer)(x)
            total = skip if total is None else total + skip
        return self.post_net(total)  # type: ignore[no-any-return]
