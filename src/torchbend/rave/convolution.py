"""Convolutions that run on whole signals or on a stream of blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.rave.normalisation import Normalised, channels_last
from torchbend.rave.streaming import Delay, Leaf, extend, rows

__all__ = ["Conv1d", "ConvTranspose1d", "NormConv1d", "NormConvTranspose1d", "arrange"]

# Wide kernels meet few frames of a block: only they are faster in the other layout.
_WIDE = 2**19
_FEW_TO_PAD = 32


class _Kernel(Leaf):
    """A layer with a kernel."""

    weight: Any

    def make_weight(self, initial: Tensor) -> None:
        """Register the kernel."""
        self.weight = nn.Parameter(initial)

    def arrange(self, layout: Callable[[Tensor], Tensor] | None) -> None:
        """Keep the kernel in another memory layout; the values stay."""
        if isinstance(self, Normalised):
            self.__dict__["lay_out"] = layout
        else:
            data = self.weight.data
            self.weight.data = data.contiguous() if layout is None else layout(data)

    def layout_for_signals(self) -> Callable[[Tensor], Tensor] | None:
        """The layout that is fastest on long signals."""
        return None

    def layout_for_blocks(self) -> Callable[[Tensor], Tensor] | None:
        """The layout that is fastest on the short signals of a stream."""
        return channels_last if self.weight.numel() >= _WIDE else None


def _uniform(shape: tuple[int, ...], fan_in: int) -> Tensor:
    """PyTorch's default start of a convolution: uniform, within one over the root of its inputs."""
    return torch.empty(shape).uniform_(-1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))


class Conv1d(_Kernel):
    """A convolution, offline or streaming; encoders and decoders have no biases.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: taps.
        pad: samples that it sees before and after its place.
        stride: between outputs, in samples.
        dilation: between taps, in samples.
        groups: of channels that are convolved apart.
        bias: add a learnt number to each channel.
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        pad: tuple[int, int] = (0, 0),
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.kernel = inputs, outputs, kernel
        self.pad, self.stride, self.dilation, self.groups = pad, stride, dilation, groups
        self.late = 0
        fan_in = inputs // groups * kernel
        self.make_weight(_uniform((outputs, inputs // groups, kernel), fan_in))
        self.register_parameter("bias", nn.Parameter(_uniform((outputs,), fan_in)) if bias else None)

    def _alignment(self, delay: Delay) -> int:
        """Frames to wait, so that the outputs fall where those of the whole signal fall."""
        return -(self.pad[1] + (delay.told or 0)) % self.stride

    def after(self, delay: Delay) -> Delay:
        """Later by the look-ahead and the alignment, at the lower rate."""
        return delay.later(self.pad[1] + self._alignment(delay)).slower(self.stride)

    def past(self, delay: Delay) -> tuple[int, ...] | None:
        """All samples that the next block's outputs look back to."""
        self.late = self._alignment(delay)
        frames = sum(self.pad) + self.late
        return (self.inputs, frames) if frames else None

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, inputs, T]`` to ``[B, outputs, T / stride]``."""
        cache, weight, left = self.cache, self.weight, 0
        if cache is not None:
            x = extend(cache, x)
            x = x[..., : -self.late] if self.late else x
            if self.dilation > 1 and self.groups == 1 and weight.is_contiguous():
                return F.conv1d(self._taps(x), weight.flatten(1).unsqueeze(2), self.bias, self.stride)
        elif self.pad[0] == self.pad[1] and self.inputs > _FEW_TO_PAD:
            left = self.pad[0]  # saves a copy; few channels are padded apart, to keep the order of long sums
        else:
            x = F.pad(x, self.pad)
        return F.conv1d(x, weight, self.bias, self.stride, left, self.dilation, self.groups)

    def _taps(self, x: Tensor) -> Tensor:
        """What each tap sees, as channels: on short blocks faster than a dilated convolution, and equal."""
        frames = x.shape[-1] - (self.kernel - 1) * self.dilation
        taps = [x.narrow(-1, tap * self.dilation, frames) for tap in range(self.kernel)]
        return torch.stack(taps, 2).flatten(1, 2)

    def extra_repr(self) -> str:
        """The sizes."""
        words = f"{self.inputs}, {self.outputs}, kernel={self.kernel}, pad={self.pad}"
        for name in ("stride", "dilation", "groups"):
            words += f", {name}={getattr(self, name)}" if getattr(self, name) != 1 else ""
        return words


class ConvTranspose1d(_Kernel):
    """A transposed convolution whose kernel is twice its stride, without bias, offline or streaming.

    Each input adds two strides of output; the second half of the last one is kept for the next block. Offline
    the same sum starts at zero, so that the graph and its names are those of a stream.

    Args:
        inputs: channels in.
        outputs: channels out.
        stride: outputs for each input, in samples.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.inputs, self.outputs, self.stride = inputs, outputs, stride
        self.make_weight(_uniform((inputs, outputs, 2 * stride), outputs * 2 * stride))

    def after(self, delay: Delay) -> Delay:
        """Half a stride later, at the higher rate."""
        return delay.faster(self.stride).later(self.stride // 2)

    def past(self, delay: Delay) -> tuple[int, ...] | None:
        """What the last input adds to the next block."""
        return (self.outputs, self.stride)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, inputs, T]`` to ``[B, outputs, T * stride]``."""
        stride, cache = self.stride, self.cache
        frames = x.shape[-1] * stride
        if self.training and cache is None:
            return F.conv_transpose1d(x, self.weight, None, stride, stride // 2)[..., :frames]
        full = F.conv_transpose1d(x, self.weight, None, stride)
        past = 0.0 if cache is None else rows(cache, x)
        full[..., :stride] = full[..., :stride] + past
        if cache is None:
            # narrow: a slice would add sizes, under a name of its own; contiguous: for the sums that follow
            return full.narrow(-1, stride // 2, frames).contiguous()
        rows(cache, x).copy_(full[..., frames:].detach())
        return full[..., :frames]

    def layout_for_signals(self) -> Callable[[Tensor], Tensor] | None:
        """Channels last."""
        return channels_last

    layout_for_blocks = layout_for_signals

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.inputs}, {self.outputs}, stride={self.stride}"


class NormConv1d(Normalised, Conv1d):
    """A `Conv1d` with a normalised weight."""


class NormConvTranspose1d(Normalised, ConvTranspose1d):
    """A `ConvTranspose1d` with a normalised weight; the norms are those of its input channels."""


def arrange(model: nn.Module, streaming: bool) -> None:
    """Lay all kernels of a model out in memory as it is fastest for blocks, or for whole signals."""
    for layer in model.modules():
        if isinstance(layer, _Kernel):
            layer.arrange(layer.layout_for_blocks() if streaming else layer.layout_for_signals())
