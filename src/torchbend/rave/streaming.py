"""What a streaming model remembers between blocks, and how late its output is.

A layer that needs past samples is a `Leaf`. It has a ``cache``, which is ``None`` offline. Opening a stream
walks through the model in the order of its signal, tells each leaf how late its input already is, and gives
it a cache of zeros (Caillon and Esling, "Streamable Neural Audio Synthesis with Non-Causal Convolutions",
arXiv 2204.07064).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from torchbend.errors import StreamError

__all__ = [
    "Delay",
    "DelayLine",
    "Leaf",
    "Measure",
    "Opening",
    "Path",
    "StreamState",
    "Walk",
    "close",
    "extend",
    "follow",
    "rows",
]


@dataclass(frozen=True)
class Delay:
    """How late a signal is.

    Attributes:
        frames: in frames of its own rate.
        told: what a strided layer aligns its frames to; ``None`` aligns to nothing.
    """

    frames: Fraction = Fraction(0)
    told: int | None = 0

    def later(self, frames: int) -> Delay:
        """After a layer that adds ``frames``."""
        return Delay(self.frames + frames, None if self.told is None else self.told + frames)

    def slower(self, stride: int) -> Delay:
        """At a rate that is ``stride`` times lower; ``told`` has to be a multiple of it."""
        return Delay(self.frames / stride, None if self.told is None else self.told // stride)

    def faster(self, stride: int) -> Delay:
        """At a rate that is ``stride`` times higher."""
        return Delay(self.frames * stride, None if self.told is None else self.told * stride)


class Leaf(nn.Module):
    """A layer with a past.

    Attributes:
        cache: the past, shape ``[batch, ...]``; ``None`` offline, or where no past is needed.
    """

    cache: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cache", None, persistent=False)

    @abstractmethod
    def after(self, delay: Delay) -> Delay:
        """How late the output is, for an input that is ``delay`` late."""

    @abstractmethod
    def past(self, delay: Delay) -> tuple[int, ...] | None:
        """Prepare for an input that is ``delay`` late; the shape of one row of the cache, if there is one."""


class DelayLine(Leaf):
    """Delays a signal by a whole number of frames.

    Args:
        channels: of the signal.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.frames = 0

    def after(self, delay: Delay) -> Delay:
        """The input's delay and the line's own."""
        return delay.later(self.frames)

    def past(self, delay: Delay) -> tuple[int, ...] | None:
        """All that is under way in the line."""
        return (self.channels, self.frames) if self.frames else None

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, C, T]`` in and out."""
        cache = self.cache
        return x if cache is None else extend(cache, x).narrow(-1, 0, x.shape[-1])


class Walk(Protocol):
    """What is done at each layer on the way of a signal."""

    @property
    def as_original(self) -> bool:
        """Align layers and branches as the original's exports do."""

    @property
    def opens(self) -> bool:
        """Whether layers are prepared for a stream, and not only measured."""

    def leaf(self, layer: Leaf, delay: Delay, copies: int = 1) -> Delay:
        """At a layer with a past; gives the delay after it.

        Args:
            layer: the layer.
            delay: of its input.
            copies: signals that the layer gets for each row of the batch.
        """

    def line(self, line: DelayLine, delay: Delay, frames: int) -> Delay:
        """At a delay line that has to add ``frames``."""


@runtime_checkable
class Path(Protocol):
    """A module whose signal takes another way than through its children one after the other."""

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through the module; gives the delay of its output."""


def follow(module: nn.Module, delay: Delay, walk: Walk) -> Delay:
    """Take ``walk`` through a module in the order of its signal; gives the delay of its output."""
    if isinstance(module, Path):
        return module.follow(delay, walk)
    if isinstance(module, Leaf):
        return walk.leaf(module, delay)
    if isinstance(module, nn.Sequential):
        for layer in module:
            delay = follow(layer, delay, walk)
    return delay


@dataclass(frozen=True)
class Measure:
    """A walk that changes nothing: it only adds up delays."""

    as_original: bool = False
    opens: ClassVar[bool] = False

    def leaf(self, layer: Leaf, delay: Delay, copies: int = 1) -> Delay:
        """The delay after the layer."""
        return layer.after(delay)

    def line(self, line: DelayLine, delay: Delay, frames: int) -> Delay:
        """The delay after the line."""
        return delay.later(frames)


@dataclass(frozen=True)
class Opening:
    """A walk that gives each leaf a cache of zeros.

    Attributes:
        batch: rows of each cache.
        like: a tensor of the caches' type, on their device.
    """

    batch: int
    like: Tensor
    as_original: bool = False
    opens: ClassVar[bool] = True

    def leaf(self, layer: Leaf, delay: Delay, copies: int = 1) -> Delay:
        """Open the layer."""
        shape = layer.past(delay)
        layer.cache = None if shape is None else self.like.new_zeros((self.batch * copies, *shape))
        return layer.after(delay)

    def line(self, line: DelayLine, delay: Delay, frames: int) -> Delay:
        """Open the line at its length."""
        line.frames = frames
        return self.leaf(line, delay)


class StreamState:
    """All caches of a streaming model: what it remembers of the past.

    Args:
        model: the streaming model.
        batch: rows of each cache: signals that are streamed side by side.
        as_original: the delays are those of the original's exports.
        late: samples by which the audio was late already when the stream was opened.
    """

    def __init__(self, model: nn.Module, batch: int, as_original: bool = False, late: int = 0) -> None:
        self.batch = batch
        self.as_original = as_original
        self.late = late
        self.tensors: dict[str, Tensor] = {}
        self.collect(model)

    def collect(self, model: nn.Module) -> None:
        """Take over the caches that the model has now."""
        self.tensors = {name: cache for name, _, cache in _caches(model) if cache is not None}

    def reset(self) -> None:
        """Forget the past: all caches are zero again."""
        for cache in self.tensors.values():
            cache.zero_()

    def copy(self) -> StreamState:
        """The same past, independent of this one."""
        twin = object.__new__(StreamState)
        twin.batch, twin.as_original, twin.late = self.batch, self.as_original, self.late
        twin.tensors = {name: cache.clone() for name, cache in self.tensors.items()}
        return twin

    def install(self, model: nn.Module) -> None:
        """Let a streaming model go on from this past.

        Raises:
            StreamError: the model has other caches.
        """
        slots = {name: layer for name, layer, cache in _caches(model) if cache is not None}
        shapes = {name: layer.cache.shape[1:] for name, layer in slots.items() if layer.cache is not None}
        if shapes != {name: cache.shape[1:] for name, cache in self.tensors.items()}:
            raise StreamError(
                "this state is not of this model's stream",
                wanted=f"{len(shapes)} caches, as stream() makes them",
                got=f"{len(self.tensors)} caches",
                next_step="open the stream with the same options, then resume",
            )
        for name, layer in slots.items():
            layer.cache = self.tensors[name]

    @property
    def bytes(self) -> int:
        """Memory that the caches take."""
        return sum(cache.numel() * cache.element_size() for cache in self.tensors.values())

    def __repr__(self) -> str:
        return f"StreamState(batch={self.batch}, {len(self.tensors)} caches, {self.bytes / 1024:.0f} KiB)"


def _caches(model: nn.Module) -> Iterator[tuple[str, Leaf, Tensor | None]]:
    for name, layer in model.named_modules():
        if isinstance(layer, Leaf):
            yield name, layer, layer.cache


def close(model: nn.Module) -> None:
    """Take all caches away: the model is offline again."""
    for _, layer, _ in _caches(model):
        layer.cache = None


def extend(cache: Tensor, x: Tensor) -> Tensor:
    """The past and the block that follows it; the cache then holds the end of both.

    Args:
        cache: shape ``[batch, C, past]``.
        x: shape ``[B, C, T]``, B at most ``batch``.

    Returns:
        Shape ``[B, C, past + T]``.

    Raises:
        StreamError: the batch is larger than the stream was opened for.
    """
    cache = rows(cache, x)
    full = torch.cat([cache, x], -1)
    end = full.narrow(-1, x.shape[-1], cache.shape[-1])
    cache.copy_(end.detach() if end.requires_grad else end)
    return full


def rows(cache: Tensor, x: Tensor) -> Tensor:
    """The rows of a cache that belong to the batch of ``x``.

    Raises:
        StreamError: the batch is larger than the stream was opened for.
    """
    batch = x.shape[0]
    if batch == cache.shape[0]:
        return cache
    if batch > cache.shape[0]:
        raise StreamError(
            "the batch is larger than this stream",
            site="batch",
            wanted=f"at most {cache.shape[0]}",
            got=int(batch),
            next_step=f"open the stream with stream(batch={int(batch)})",
        )
    return cache[:batch]
