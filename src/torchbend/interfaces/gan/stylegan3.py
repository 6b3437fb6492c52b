"""StyleGAN3's generator: waves that move with the image, and layers that make no jagged edges of them.

Written from the paper: Karras et al., "Alias-Free Generative Adversarial Networks" (arXiv 2106.12423).
Weights have the names of the public checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.errors import ShapeError
from torchbend.interfaces.gan.layers import SLOPE, Dense
from torchbend.interfaces.gan.stylegan3_filters import filtered, spread
from torchbend.interfaces.gan.stylegan3_sizes import MARGIN, LayerSizes, StyleGAN3Sizes
from torchbend.interfaces.gan.styles import StyleGenerator

__all__ = ["StyleGAN3", "Synthesis3"]

_BANDWIDTH = 2.0
_OUTPUT_SCALE = 0.25


class Waves(nn.Module):
    """What an image begins with: waves over the plane, turned and moved by the first style (section 3.2)."""

    transform: Tensor
    freqs: Tensor
    phases: Tensor

    def __init__(self, channels: int, size: int, w_dim: int) -> None:
        super().__init__()
        direction, radius = 2 * math.pi * torch.rand(channels), _BANDWIDTH * torch.rand(channels).sqrt()
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.affine = Dense(w_dim, 4)
        with torch.no_grad():
            self.affine.weight.zero_()
            self.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", torch.stack([direction.cos(), direction.sin()], 1) * radius[:, None])
        self.register_buffer("phases", torch.rand(channels) - 0.5)
        self.size, self.rate = size, size - 2 * MARGIN
        self.out = nn.Identity()

    def forward(self, w: Tensor) -> Tensor:
        """Args: ``w [B, w_dim]``. Returns ``[B, channels, size, size]``."""
        told = self.affine(w)
        told = told / told[:, :2].norm(dim=1, keepdim=True)
        cosine, sine, right, down = told.unbind(1)
        zero, one = torch.zeros_like(sine), torch.ones_like(sine)
        turned = torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, one], 1).reshape(-1, 3, 3)
        moved = torch.stack([one, zero, -right, zero, one, -down, zero, zero, one], 1).reshape(-1, 3, 3)
        plane = turned @ moved @ self.transform
        phases = self.phases + (self.freqs @ plane[:, :2, 2:]).squeeze(2)
        freqs = self.freqs @ plane[:, :2, :2]
        too_fast = (freqs.norm(dim=2) - _BANDWIDTH) / (self.rate / 2 - _BANDWIDTH)
        at = (torch.arange(self.size, device=w.device, dtype=w.dtype) + 0.5 - self.size / 2) / self.rate
        angle = freqs[:, :, :1, None] * at + freqs[:, :, 1:, None] * at[:, None] + phases[:, :, None, None]
        waves = torch.sin(2 * math.pi * angle) * (1 - too_fast).clamp(0, 1)[:, :, None, None]
        mixed = F.conv2d(waves, (self.weight / math.sqrt(len(self.weight)))[:, :, None, None])
        made: Tensor = self.out(mixed)
        return made


class AliasFree(nn.Module):
    """A modulated convolution, then leaky ReLU at a higher resolution, so that it makes no new fast waves."""

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(self, sizes: LayerSizes, w_dim: int, clamp: float | None) -> None:
        super().__init__()
        self.affine = Dense(w_dim, sizes.inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(sizes.outputs, sizes.inputs, sizes.kernel, sizes.kernel))
        self.bias = nn.Parameter(torch.zeros(sizes.outputs))
        self.register_buffer("magnitude_ema", torch.ones(()))
        self.register_buffer("up_filter", sizes.up_filter)
        self.register_buffer("down_filter", sizes.down_filter)
        self.up, self.down, self.clamp, self.to_image = sizes.up, sizes.down, clamp, sizes.to_image
        taps = sum(0 if kernel is None else len(kernel) - 1 for kernel in (self.up_filter, self.down_filter))
        wider = sizes.in_size + sizes.kernel - 1
        whole = (sizes.out_size - 1) * self.down + 1 - wider * self.up + taps
        before = (whole + self.up) // 2  # zeros stand behind pixels: half of them go in front
        self.padding = (before, whole - before)
        self.out = nn.Identity()

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Args: ``x [B, I, in_size, in_size]``, ``w [B, w_dim]``. Returns ``[B, O, out_size, out_size]``."""
        x = self._convolved(x, self.affine(w)) * torch.rsqrt(self.magnitude_ema)
        x = x + self.bias[:, None, None]
        x = F.pad(spread(x, self.up), (*self.padding, *self.padding))
        if self.up_filter is not None:
            gain = self.up if self.up_filter.dim() == 1 else self.up**2
            x = filtered(x, self.up_filter * gain)
        if not self.to_image:
            x = F.leaky_relu(x, SLOPE) * math.sqrt(2)
        x = x if self.clamp is None else x.clamp(-self.clamp, self.clamp)
        if self.down_filter is not None:
            x = filtered(x, self.down_filter, self.down)
        made: Tensor = self.out(x)
        return made

    def _convolved(self, x: Tensor, styles: Tensor) -> Tensor:
        weight: Tensor = self.weight
        if self.to_image:
            styles = styles / math.sqrt(weight[0].numel())
        else:
            weight = weight * torch.rsqrt(weight.square().mean((1, 2, 3), keepdim=True))
            styles = styles * torch.rsqrt(styles.square().mean(1, keepdim=True))
        x = F.conv2d(x * styles[:, :, None, None], weight, padding=weight.shape[-1] - 1)
        if self.to_image:
            return x
        power = F.linear(styles.square(), weight.square().sum((2, 3)))
        return x * torch.rsqrt(power + 1e-8)[:, :, None, None]


class Synthesis3(nn.Module):
    """Styles to images: ``input``, then layers ``L0_36_512``, ... (number, pixels along a side, channels)."""

    def __init__(self, sizes: StyleGAN3Sizes) -> None:
        super().__init__()
        self.input = Waves(sizes.layers[0].inputs, sizes.input_size, sizes.w_dim)
        self.names = [f"L{n}_{layer.out_size}_{layer.outputs}" for n, layer in enumerate(sizes.layers)]
        for name, layer in zip(self.names, sizes.layers, strict=True):
            self.add_module(name, AliasFree(layer, sizes.w_dim, sizes.clamp))

    def forward(self, ws: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Args: ``ws [B, styles, w_dim]``; there is no noise. Returns ``[B, colours, H, W]``."""
        styles = ws.unbind(1)
        if len(styles) != len(self.names) + 1:
            raise ShapeError(
                "there is to be a style for each layer",
                site="ws",
                wanted=f"[batch, {len(self.names) + 1}, w_dim]",
                got=f"{len(styles)} styles",
            )
        x: Tensor = self.input(styles[0])
        for name, style in zip(self.names, styles[1:], strict=True):
            x = getattr(self, name)(x, style)
        return x * _OUTPUT_SCALE


class StyleGAN3(StyleGenerator):
    """The generator; without weights of its own it makes something soft.

    Args:
        sizes: how large it is.
    """

    synthesis: Synthesis3

    def __init__(self, sizes: StyleGAN3Sizes) -> None:
        super().__init__(sizes)
        self.synthesis = Synthesis3(sizes)
