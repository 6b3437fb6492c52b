"""The low-pass filter between resolutions: images grow without jagged edges."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["binomial", "smoothed", "upsampled"]


def binomial() -> Tensor:
    """The filter of StyleGAN2: [1, 3, 3, 1] in both directions, with sum 1. Shape ``[4, 4]``."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    taps = taps / taps.sum()
    return torch.outer(taps, taps)


def upsampled(x: Tensor, kernel: Tensor) -> Tensor:
    """Twice as high and wide: zeros between the pixels, then the filter, four times as strong.

    Args:
        x: shape ``[B, C, H, W]``.
        kernel: shape ``[4, 4]``, sum 1.

    Returns:
        Shape ``[B, C, 2 H, 2 W]``.
    """
    channels = x.shape[1]
    each = (4.0 * kernel).expand(channels, 1, 4, 4)
    return F.conv_transpose2d(x, each, stride=2, padding=1, groups=channels)


def smoothed(x: Tensor, kernel: Tensor) -> Tensor:
    """The filter alone, four times as strong, behind a convolution that put zeros between the pixels.

    Args:
        x: shape ``[B, C, 2 H + 1, 2 W + 1]``.
        kernel: shape ``[4, 4]``, sum 1.

    Returns:
        Shape ``[B, C, 2 H, 2 W]``.
    """
    channels = x.shape[1]
    each = (4.0 * kernel).flip(0, 1).expand(channels, 1, 4, 4)
    return F.conv2d(x, each, padding=1, groups=channels)
