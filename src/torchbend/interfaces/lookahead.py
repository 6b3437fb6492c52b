"""Streams through methods that look around in their input: what they give, they give late."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from torchbend.errors import StreamError

__all__ = ["AroundStream"]


class AroundStream:
    """Blocks of any size through a method that depends on some frames to either side.

    Put together, the blocks that come out are what the method gives for the whole signal: a frame is
    given out when all is there that it depends on. The frames around are computed again with each block.

    Args:
        call: from ``[B, C, n * unit]`` to ``[B, out, n * made]``; fewer values at the end are allowed.
        around: frames that a frame depends on to either side, at most.
        unit: input values of a frame.
        made: output values of a frame.
    """

    def __init__(self, call: Callable[[Tensor], Tensor], around: int, unit: int, made: int) -> None:
        self._call = call
        self._around, self._unit, self._made = around, unit, made
        self._held: Tensor | None = None
        self._given = 0
        self._empty: Tensor | None = None

    @property
    def playing(self) -> bool:
        """Whether something came."""
        return self._held is not None

    @property
    def delay(self) -> int:
        """How late the output is, in values of the output."""
        return self._around * self._made

    def feed(self, x: Tensor) -> Tensor:
        """The next block.

        Args:
            x: shape ``[B, C, T]``, any T.

        Returns:
            What is certain now, shape ``[B, out, T']``: nothing at first.

        Raises:
            StreamError: it has another batch or other channels than the block before.
        """
        held = self._held
        if held is not None and held.shape[:2] != x.shape[:2]:
            raise StreamError(
                "this block does not go on with the stream",
                site="stream",
                wanted=f"batch and channels {list(held.shape[:2])}",
                got=list(x.shape[:2]),
                next_step="stream() begins another one",
            )
        self._held = x if held is None else torch.cat([held, x], -1)
        return self._certain(self._around)

    def flush(self) -> Tensor:
        """What is left, as if nothing followed; a started frame is completed with zeros, and cut again.

        Raises:
            StreamError: nothing was played.
        """
        if self._held is None:
            raise StreamError("nothing was played", site="flush", next_step="play blocks first")
        missing = -self._held.shape[-1] % self._unit
        self._held = F.pad(self._held, (0, missing))
        rest = self._certain(0)
        self._held, self._given = None, 0
        return rest[..., : rest.shape[-1] - missing * self._made // self._unit]

    def _certain(self, around: int) -> Tensor:
        held = self._held
        if held is None:
            raise StreamError("nothing was played", site="stream", next_step="play blocks first")
        frames = held.shape[-1] // self._unit
        certain = frames - around
        if certain <= self._given:
            return self._nothing(held)
        made = self._call(held[..., : frames * self._unit])
        self._empty = made[..., :0]
        out = made[..., self._given * self._made : certain * self._made]
        past = max(0, certain - self._around)
        self._held, self._given = held[..., past * self._unit :], certain - past
        return out

    def _nothing(self, held: Tensor) -> Tensor:
        if self._empty is None:  # the shape of what comes is not known yet: ask for a frame
            silence = held.new_zeros(*held.shape[:2], (2 * self._around + 1) * self._unit)
            self._empty = self._call(silence)[..., :0]
        return self._empty
