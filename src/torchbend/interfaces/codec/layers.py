"""The layers of EnCodec (Défossez et al. 2022, arXiv 2210.13438), for whole signals and for streams.

Each takes over the weights of one of transformers' layers, and gives the same numbers for a whole signal. A
causal layer can also be opened for a stream: it then remembers what came before each block.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.rave.streaming import extend, rows

__all__ = ["Conv", "ConvTranspose", "Recurrent", "StreamLayer"]


class StreamLayer(nn.Module):
    """A layer with a past.

    Attributes:
        opening: the next block is the first of a stream: before it, there is what there is before a whole
            signal. Otherwise a stream begins with a past of zeros.
    """

    opening: bool = False

    def open(self, batch: int, like: Tensor) -> None:
        """Begin a stream of up to ``batch`` signals; ``like`` is of its type, on its device."""

    def close(self) -> None:
        """Take whole signals again."""


class Conv(StreamLayer):
    """A convolution that pads its input.

    Args:
        layer: transformers' ``EncodecConv1d``.
    """

    cache: Tensor | None

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.conv = layer.conv
        if layer.norm_type == "time_group_norm":
            self.norm = layer.norm
        self.causal: bool = layer.causal
        self.pad_mode: str = layer.pad_mode
        conv = layer.conv
        self.stride: int = conv.stride[0]
        self.past: int = (conv.kernel_size[0] - 1) * conv.dilation[0] + 1 - self.stride
        self.register_buffer("cache", None, persistent=False)

    @property
    def first(self) -> int:
        """Values of the input that have to be there before the first output is certain."""
        return self.past + 1 if self.past and self.pad_mode == "reflect" else 1

    def open(self, batch: int, like: Tensor) -> None:
        """See `StreamLayer`."""
        self.cache = like.new_zeros(batch, self.conv.in_channels, self.past) if self.past else None

    def close(self) -> None:
        """See `StreamLayer`."""
        self.cache = None

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, in, T]`` to ``[B, out, T / stride]``."""
        if self.cache is None:
            x = self._padded(x)
        elif self.opening:
            rows(self.cache, x).copy_(F.pad(x, (max(0, self.past - x.shape[-1]), 0))[..., -self.past :])
            x = self._padded(x)
        else:
            x = extend(self.cache, x)
        x = self.conv(x)
        return self.norm(x) if hasattr(self, "norm") else x

    def _padded(self, x: Tensor) -> Tensor:
        missing = -x.shape[-1] % self.stride
        right = 0 if self.causal else self.past // 2
        sides = (self.past - right, right + missing)
        if self.pad_mode != "reflect":
            return F.pad(x, sides, self.pad_mode)
        short = max(sides) + 1 - x.shape[-1]
        if short <= 0:
            return F.pad(x, sides, "reflect")
        return F.pad(F.pad(x, (0, short)), sides, "reflect")[..., :-short]


class ConvTranspose(StreamLayer):
    """A transposed convolution that cuts its output.

    Args:
        layer: transformers' ``EncodecConvTranspose1d``.
    """

    cache: Tensor | None

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.conv = layer.conv
        if layer.norm_type == "time_group_norm":
            self.norm = layer.norm
        self.stride: int = layer.conv.stride[0]
        total = layer.conv.kernel_size[0] - self.stride
        self.right: int = math.ceil(total * layer.trim_right_ratio) if layer.causal else total // 2
        self.left = total - self.right
        self.past = -(-total // self.stride)
        self.register_buffer("cache", None, persistent=False)

    def open(self, batch: int, like: Tensor) -> None:
        """See `StreamLayer`."""
        self.cache = like.new_zeros(batch, self.conv.in_channels, self.past) if self.past else None

    def close(self) -> None:
        """See `StreamLayer`."""
        self.cache = None

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, in, T]`` to ``[B, out, T * stride]``."""
        start, samples = self.left, x.shape[-1] * self.stride
        if self.cache is not None:
            x = extend(self.cache, x)
            start = self.past * self.stride
        x = self.conv(x)
        if hasattr(self, "norm"):
            x = self.norm(x)
        return x[..., start : start + samples]


class Recurrent(StreamLayer):
    """Recurrent layers beside which the signal passes.

    Args:
        layer: transformers' ``EncodecLSTM``.
    """

    hidden: Tensor | None
    cell: Tensor | None

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.lstm: nn.LSTM = layer.lstm
        self.register_buffer("hidden", None, persistent=False)
        self.register_buffer("cell", None, persistent=False)

    def open(self, batch: int, like: Tensor) -> None:
        """See `StreamLayer`."""
        shape = (batch, self.lstm.num_layers, self.lstm.hidden_size)
        self.hidden, self.cell = like.new_zeros(shape), like.new_zeros(shape)

    def close(self) -> None:
        """See `StreamLayer`."""
        self.hidden = self.cell = None

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, C, T]`` in and out."""
        steps = x.permute(2, 0, 1)
        if self.hidden is None or self.cell is None:
            made = self.lstm(steps)[0]
        else:
            held = rows(self.hidden, x), rows(self.cell, x)
            before = tuple(state.transpose(0, 1).contiguous() for state in held)
            made, after = self.lstm(steps, before)
            for state, new in zip(held, after, strict=True):
                state.copy_(new.transpose(0, 1))
        return torch.permute(made + steps, (1, 2, 0))
