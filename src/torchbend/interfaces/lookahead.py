"""Streams through methods that look around in their input: what they give, they give late."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from torchbend.errors import StreamError

__all__ = ["AroundStream", "appended"]


def appended(held: Tensor | None, x: Tensor) -> Tensor:
    """What waits in a stream, and the next block behind it.

    Args:
        held: shape ``[B, C, T]``; None before the first block.
        x: shape ``[B, C, T']``.

    Raises:
        StreamError: the block has another batch or other channels.
    """
    if held is None:
        return x
    if held.shape[:2] != x.shape[:2]:
        raise StreamError(
            "this block does not go on with the stream",
            site="stream",
            wanted=f"batch and channels {list(held.shape[:2])}",
            got=list(x.shape[:2]),
            next_step="stream() begins another one",
        )
    return torch.cat([held, x], -1)


class AroundStream:
    """Blocks of any size through a method that depends on some frames to either side.

    Put together, the blocks that come out are what the method gives for the whole signal: a frame is
    given out when all is there that it depends on. The frames around are computed again with each block.
    A block that fails is as if it had not been played.

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

    def feed(self, x: Tensor) -> Tensor:
        """The next block.

        Args:
            x: shape ``[B, C, T]``, any T.

        Returns:
            What is certain now, shape ``[B, out, T']``: nothing at first.

        Raises:
            StreamError: it has another batch or other channels than the block before.
        """
        return self._certain(appended(self._held, x), self._around)

    def flush(self) -> Tensor:
        """What is left, as if nothing followed; a started frame is completed with zeros, and cut again.

        Raises:
            StreamError: nothing was played.
        """
        if self._held is None:
            raise StreamError("nothing was played", site="flush", next_step="play blocks first")
        missing = -self._held.shape[-1] % self._unit
        rest = self._certain(F.pad(self._held, (0, missing)), 0)
        self._held, self._given = None, 0
        return rest[..., : rest.shape[-1] - missing * self._made // self._unit]

    def _certain(self, held: Tensor, around: int) -> Tensor:
        """What is new if ``held`` is all, and so many frames at its end are not certain."""
        frames = held.shape[-1] // self._unit
        certain = frames - around
        if certain <= self._given:
            nothing = self._nothing(held)
            self._held = held
            return nothing
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
