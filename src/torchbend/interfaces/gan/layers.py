"""What StyleGAN2 is built of: layers whose learning rate is equalised, and the modulated convolution.

Written from the papers: Karras et al., "Progressive Growing of GANs" (arXiv 1710.10196, section 4.1:
equalised learning rate) and "Analyzing and Improving the Image Quality of StyleGAN" (arXiv 1912.04958,
section 2.2: modulation and demodulation). The names of weights are those of the public checkpoints. Each
layer ends in a module ``out`` that does nothing: it gives what the layer makes a name, as
``synthesis_b8_conv0_out``.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.interfaces.gan.filtering import binomial, smoothed

__all__ = ["Dense", "Styled", "ToImage", "modulated"]

SLOPE = 0.2
_GAIN = math.sqrt(2.0)
_EPSILON = 1e-8


def _activated(x: Tensor) -> Tensor:
    """Leaky ReLU, so much louder that what goes in as loud as 1 comes out about as loud."""
    return F.leaky_relu(x, SLOPE) * _GAIN


def _clamped(x: Tensor, limit: float | None) -> Tensor:
    return x if limit is None else x.clamp(-limit, limit)


class Dense(nn.Module):
    """A linear layer with an equalised learning rate: ``y = rate / sqrt(inputs) * W x + rate * b``.

    Args:
        inputs: numbers in.
        outputs: numbers out.
        activation: ``"lrelu"``, or ``"linear"`` for none.
        rate: of learning, against that of other layers; the stored weights are larger by as much.
        bias: what the bias begins with.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: Literal["linear", "lrelu"] = "linear",
        rate: float = 1.0,
        bias: float = 0.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.activation = activation
        self.weight_gain = rate / math.sqrt(inputs)
        self.bias_gain = rate
        self.out = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)
        made: Tensor = self.out(_activated(y) if self.activation == "lrelu" else y)
        return made


def modulated(
    x: Tensor, weight: Tensor, styles: Tensor, *, demodulate: bool = True, kernel: Tensor | None = None
) -> Tensor:
    """A convolution whose input channels each image weighs for itself (arXiv 1912.04958, equations 1 and 3).

    With ``w'[i, j, k] = s[i] w[i, j, k]`` the weight of output j is divided by
    ``sqrt(sum over i, k of w'[i, j, k]^2 + 1e-8)``. Weighing the input by ``s`` and the output by that root
    does the same to all images at once, without a weight for each.

    Args:
        x: shape ``[B, I, H, W]``.
        weight: shape ``[O, I, k, k]``, k odd.
        styles: shape ``[B, I]``: how much each input channel counts.
        demodulate: divide, so that what comes out is about as loud as what goes in.
        kernel: the filter; with it the result is twice as high and wide.

    Returns:
        Shape ``[B, O, H, W]``, or ``[B, O, 2 H, 2 W]``.
    """
    x = x * styles[:, :, None, None]
    if kernel is None:
        x = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
    else:
        x = smoothed(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), kernel)
    if not demodulate:
        return x
    power = F.linear(styles.square(), weight.square().sum((2, 3)))
    return x * torch.rsqrt(power + _EPSILON)[:, :, None, None]


class Styled(nn.Module):
    """A modulated convolution with noise, bias and leaky ReLU: ``conv0`` and ``conv1`` of a block.

    Args:
        inputs: channels in.
        outputs: channels out.
        w_dim: numbers in a style.
        resolution: pixels along a side of what comes out.
        up: what comes out is twice as large as what goes in.
        clamp: nothing that comes out is further from 0.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        resolution: int,
        *,
        up: bool = False,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.affine = Dense(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("resample_filter", binomial())
        self.up, self.clamp, self.resolution = up, clamp, resolution
        self.out = nn.Identity()

    noise_const: Tensor
    resample_filter: Tensor

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """Args: ``x [B, I, H, W]``, ``w [B, w_dim]``, and noise to be added instead of the layer's own."""
        kernel = self.resample_filter if self.up else None
        x = modulated(x, self.weight, self.affine(w), kernel=kernel)
        x = x + self.noise_strength * (self.noise_const if noise is None else noise)
        made: Tensor = self.out(_clamped(_activated(x + self.bias[:, None, None]), self.clamp))
        return made


class ToImage(nn.Module):
    """A block's ``torgb``: channels as colours, by a modulated convolution of one pixel, not demodulated.

    Args:
        inputs: channels in.
        outputs: colours.
        w_dim: numbers in a style.
        clamp: nothing that comes out is further from 0.
    """

    def __init__(self, inputs: int, outputs: int, w_dim: int, *, clamp: float | None = None) -> None:
        super().__init__()
        self.affine = Dense(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.weight_gain = 1.0 / math.sqrt(inputs)
        self.clamp = clamp
        self.out = nn.Identity()

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = modulated(x, self.weight, self.affine(w) * self.weight_gain, demodulate=False)
        made: Tensor = self.out(_clamped(x + self.bias[:, None, None], self.clamp))
        return made
