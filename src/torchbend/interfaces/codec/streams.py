"""Blocks of any size through a codec that only looks back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.errors import StreamError
from torchbend.interfaces.codec.dac import DacCodec
from torchbend.interfaces.codec.encodec import EncodecCodec
from torchbend.interfaces.lookahead import AroundStream, appended

__all__ = ["CausalStream", "Half", "opened", "whole_or_not"]


class CausalStream:
    """One half of EnCodec: what comes is collected to whole frames, and to the first few of them at first.

    Put together, what it gives is what the half gives for the whole: the network begins as it does there,
    with the signal mirrored at its beginning, and needs the first frames for it.

    Args:
        call: the half with its bends: ``[B, C, n * unit]`` to ``[B, out, n * made]``.
        codec: that it belongs to, opened.
        half: its encoder or its decoder.
        unit: input values of a frame.
    """

    def __init__(
        self, call: Callable[[Tensor], Tensor], codec: EncodecCodec, half: nn.Module, unit: int
    ) -> None:
        self._call, self._codec, self._half, self._unit = call, codec, half, unit
        self._held: Tensor | None = None
        self._first = codec.first_frames(half)
        self._begun = False
        self._nothing: Tensor | None = None

    @property
    def playing(self) -> bool:
        """Whether something came."""
        return self._held is not None

    def feed(self, x: Tensor) -> Tensor:
        """The next block, ``[B, C, T]`` with any T; gives the frames that are complete.

        Raises:
            StreamError: it has another batch or other channels than the block before.
        """
        held = appended(self._held, x)
        frames = held.shape[-1] // self._unit
        if frames >= (1 if self._begun else self._first):
            return self._played(held, frames)
        self._held = held
        return self._empty(held)

    def flush(self) -> Tensor:
        """What is left, a started frame completed with zeros."""
        held = self._held
        if held is None:
            raise StreamError("nothing was played", site="flush", next_step="play blocks first")
        held = F.pad(held, (0, -held.shape[-1] % self._unit))
        rest = self._played(held, held.shape[-1] // self._unit) if held.shape[-1] else self._empty(held)
        self._held = None
        return rest

    def _played(self, held: Tensor, frames: int) -> Tensor:
        whole = held[..., : frames * self._unit]
        if self._begun:
            made = self._call(whole)
        else:
            with self._codec.opening(self._half):
                made = self._call(whole)
            self._begun = True
        self._held = held[..., frames * self._unit :]
        self._nothing = made[..., :0]
        return made

    def _empty(self, held: Tensor) -> Tensor:
        if self._nothing is None:
            books, channels = self._codec.in_use, self._codec.channels
            encodes = self._half is self._codec.encoder
            kind = torch.long if encodes else held.dtype
            self._nothing = torch.zeros(len(held), books if encodes else channels, 0, dtype=kind)
        return self._nothing


Half = CausalStream | AroundStream


def opened(
    codec: EncodecCodec | DacCodec,
    batch: int,
    encode: Callable[[Tensor], Tensor],
    decode: Callable[[Tensor], Tensor],
) -> dict[str, Half]:
    """A stream through each half of a codec that can be played in blocks.

    Args:
        codec: which.
        batch: signals at once, at most.
        encode: sound to codes, bent.
        decode: latents to sound, bent.
    """
    if isinstance(codec, EncodecCodec):
        codec.open(batch)
        return {
            "encode": CausalStream(encode, codec, codec.encoder, codec.hop),
            "decode": CausalStream(decode, codec, codec.decoder, 1),
        }
    return {
        "encode": AroundStream(encode, codec.around(codec.encoder), codec.hop, 1),
        "decode": AroundStream(decode, codec.around(codec.decoder), 1, codec.hop),
    }


@contextmanager
def whole_or_not(codec: EncodecCodec | DacCodec, halves: Mapping[str, Half] | None) -> Iterator[None]:
    """Within it, a block that fails is as if it had not been played, in both halves.

    Args:
        codec: which.
        halves: its streams; None: it takes whole signals, and there is nothing to put back.
    """
    if halves is None:
        yield
        return
    told = [(half, dict(vars(half))) for half in halves.values()]
    past = [(state, state.clone()) for state in codec.past()] if isinstance(codec, EncodecCodec) else []
    try:
        yield
    except BaseException:
        for half, before in told:
            vars(half).update(before)
        for state, values in past:
            state.copy_(values)
        raise
