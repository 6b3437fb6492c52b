"""The filters of StyleGAN3: low-pass, by a Kaiser window, along both directions or round.

Karras et al., "Alias-Free Generative Adversarial Networks" (arXiv 2106.12423), appendix C.1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["filtered", "lowpass", "spread"]


def lowpass(taps: int, cutoff: float, width: float, rate: float, radial: bool = False) -> Tensor:
    """A filter that lets pass what is slower than ``cutoff``.

    Args:
        taps: how long it is.
        cutoff: cycles in a unit.
        width: of the band between what passes and what does not.
        rate: samples in a unit.
        radial: as slow in all directions (by the Bessel function J1), and not only along the axes.

    Returns:
        Shape ``[taps]``, or ``[taps, taps]``; the sum is 1.
    """
    attenuation = 2.285 * (taps - 1) * math.pi * width / (rate / 2) + 7.95
    window = torch.kaiser_window(taps, False, _beta(attenuation), dtype=torch.float64)
    at = (torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2) / rate
    if not radial:
        kernel = torch.sinc(2 * cutoff * at) * window
        return (kernel / kernel.sum()).float()
    distance = torch.hypot(at[:, None], at[None, :])
    inner = 2 * math.pi * cutoff * distance
    kernel = torch.where(inner > 1e-9, torch.special.bessel_j1(inner) / inner.clamp(min=1e-9), 0.5)
    kernel = kernel * torch.outer(window, window)
    return (kernel / kernel.sum()).float()


def _beta(attenuation: float) -> float:
    """The shape of the window for an attenuation in dB (Kaiser's own formula)."""
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    if attenuation > 21:
        return float(0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21))
    return 0.0


def spread(x: Tensor, times: int) -> Tensor:
    """Zeros behind each pixel, to the right and below: ``[B, C, H, W]`` to ``[B, C, times H, times W]``."""
    if times == 1:
        return x
    rows, channels, high, wide = x.shape
    apart = F.pad(x.reshape(rows, channels, high, 1, wide, 1), (0, times - 1, 0, 0, 0, times - 1))
    return apart.reshape(rows, channels, times * high, times * wide)


def filtered(x: Tensor, kernel: Tensor, step: int = 1) -> Tensor:
    """Each channel through a filter, without padding; then every ``step``-th pixel.

    Args:
        x: shape ``[B, C, H, W]``.
        kernel: shape ``[taps]`` for both directions one after the other, or ``[taps, taps]``.
        step: of what is kept.
    """
    channels = x.shape[1]
    if kernel.dim() == 2:
        each = kernel.flip(0, 1).expand(channels, 1, -1, -1)
        return F.conv2d(x, each, stride=step, groups=channels)
    taps = kernel.flip(0).expand(channels, 1, 1, -1)
    x = F.conv2d(x, taps, stride=(1, step), groups=channels)
    return F.conv2d(x, taps.transpose(2, 3), stride=(step, 1), groups=channels)
