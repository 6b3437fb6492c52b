"""Activations between the stages."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torchbend.rave.config import Activation

__all__ = ["Snake", "activation", "leaky_relu"]


class Snake(nn.Module):
    """``x + sin(alpha x)^2 / alpha``, with one alpha for each channel (Ziyin et al., arXiv 2006.08195).

    Args:
        channels: of the signal.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, C, T]`` in and out."""
        return x + (self.alpha + 1e-9).reciprocal() * (self.alpha * x).sin().pow(2)


def leaky_relu() -> nn.LeakyReLU:
    """The leaky ReLU of the family, slope 0.2."""
    return nn.LeakyReLU(0.2)


def activation(kind: Activation, channels: int) -> nn.Module:
    """The activation of that name for so many channels."""
    return Snake(channels) if kind == "snake" else leaky_relu()
