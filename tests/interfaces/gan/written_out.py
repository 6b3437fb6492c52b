"""StyleGAN2 written out step by step, image by image, from the papers' formulas: to compare with."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


def grown(x: Tensor) -> Tensor:
    """Twice as large: zeros between the pixels, then the filter in both directions. ``x [C, H, W]``."""
    channels, high, wide = x.shape
    spread = torch.zeros(channels, 2 * high + 3, 2 * wide + 3)
    spread[:, 2 : 2 + 2 * high : 2, 2 : 2 + 2 * wide : 2] = x
    made = torch.zeros(channels, 2 * high, 2 * wide)
    for row in range(4):
        for column in range(4):
            part = spread[:, row : row + 2 * high, column : column + 2 * wide]
            made += 4 * TAPS[row] * TAPS[column] * part
    return made


def convolved(x: Tensor, weight: Tensor, style: Tensor, up: bool, demodulate: bool = True) -> Tensor:
    """One image: its own weight, by equations 1 and 3 of arXiv 1912.04958. ``x [I, H, W]``."""
    own = weight * style[None, :, None, None]
    if demodulate:
        own = own / torch.sqrt((own**2).sum((1, 2, 3), keepdim=True) + 1e-8)
    if not up:
        return F.conv2d(x[None], own, padding=weight.shape[-1] // 2)[0]
    inputs, high, wide = x.shape
    spread = torch.zeros(inputs, 2 * high - 1, 2 * wide - 1)
    spread[:, ::2, ::2] = x
    wider = F.conv2d(F.pad(spread, (2, 2, 2, 2))[None], own.flip(2, 3))[0]
    padded = F.pad(wider, (1, 1, 1, 1))
    made = torch.zeros(len(weight), 2 * high, 2 * wide)
    for row in range(4):
        for column in range(4):
            part = padded[:, row : row + 2 * high, column : column + 2 * wide]
            made += 4 * TAPS[row] * TAPS[column] * part
    return made


def dense(x: Tensor, weights: Mapping[str, Tensor], name: str, rate: float = 1.0) -> Tensor:
    """An equalised layer without activation."""
    weight = weights[f"{name}.weight"]
    return weight @ x * (rate / math.sqrt(weight.shape[1])) + weights[f"{name}.bias"] * rate


def activated(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)


def mapped(weights: Mapping[str, Tensor], z: Tensor, layers: int) -> Tensor:
    """One style of one latent."""
    x = z / torch.sqrt((z**2).mean() + 1e-8)
    for number in range(layers):
        x = activated(dense(x, weights, f"mapping.fc{number}", 0.01))
    return x


def synthesized(weights: Mapping[str, Tensor], ws: Tensor, sides: list[int]) -> Tensor:
    """One image of its styles, ``ws [styles, w_dim]``."""
    x, image, at = weights["synthesis.b4.const"], None, 0
    for side in sides:
        block = f"synthesis.b{side}"
        for conv in ("conv1",) if side == 4 else ("conv0", "conv1"):
            layer = f"{block}.{conv}"
            style = dense(ws[at], weights, f"{layer}.affine")
            x = convolved(x, weights[f"{layer}.weight"], style, up=conv == "conv0")
            x = x + weights[f"{layer}.noise_strength"] * weights[f"{layer}.noise_const"]
            x = activated(x + weights[f"{layer}.bias"][:, None, None])
            at += 1
        style = dense(ws[at], weights, f"{block}.torgb.affine") / math.sqrt(len(x))
        colours = convolved(x, weights[f"{block}.torgb.weight"], style, up=False, demodulate=False)
        colours = colours + weights[f"{block}.torgb.bias"][:, None, None]
        image = colours if image is None else grown(image) + colours
    assert image is not None
    return image
