"""Latents of a frame one after the other: each is one step later than the one before.

Where all latents of a step are drawn at once, those of one frame have to lie in different steps: then each
is drawn with the earlier ones of its frame known.
"""

from __future__ import annotations

import torch
from torch import Tensor

from torchbend.errors import ShapeError
from torchbend.rave.streaming import Delay, Leaf, rows

__all__ = ["InverseShift", "shift", "unshift"]


def shift(z: Tensor) -> Tensor:
    """Steps that hold the first latent of a frame, the second one of the frame before, and so on.

    Args:
        z: shape ``[B, L, T]``, T at least L.

    Returns:
        ``out[:, d, t] = z[:, d, t + L - 1 - d]``, shape ``[B, L, T - L + 1]``.

    Raises:
        ShapeError: there are fewer frames than latents.
    """
    return unshift(z.flip(1)).flip(1)


def unshift(steps: Tensor) -> Tensor:
    """Frames again; undoes `shift`, but for ``L - 1`` frames at each end.

    Args:
        steps: shape ``[B, L, T]``, T at least L.

    Returns:
        ``out[:, d, t] = steps[:, d, t + d]``, shape ``[B, L, T - L + 1]``.

    Raises:
        ShapeError: there are fewer steps than latents.

    >>> unshift(torch.tensor([[[0, 1, 2], [10, 11, 12]]]))
    tensor([[[ 0,  1],
             [11, 12]]])
    """
    if steps.dim() != 3 or steps.shape[-1] < steps.shape[1]:
        raise ShapeError(
            "a diagonal shift needs as many frames as there are latents",
            site="z",
            wanted="[batch, latents, time], time at least latents",
            got=list(steps.shape),
        )
    return steps.unfold(-1, steps.shape[1], 1).diagonal(0, 1, 3).transpose(1, 2)


class InverseShift(Leaf):
    """`unshift`, offline or streaming: there as many frames come out as steps go in, ``latents - 1`` late.

    Args:
        latents: of a step.
    """

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.latents = latents

    def after(self, delay: Delay) -> Delay:
        """Later by the steps that a frame takes."""
        return delay.later(self.latents - 1)

    def past(self, delay: Delay) -> tuple[int, ...] | None:
        """The steps of unfinished frames."""
        return (self.latents, self.latents - 1) if self.latents > 1 else None

    def forward(self, steps: Tensor) -> Tensor:
        """Shape ``[B, L, T]`` to ``[B, L, T - L + 1]``; in a stream to ``[B, L, T]``."""
        if self.cache is None:
            return unshift(steps)
        cache = rows(self.cache, steps)
        full = torch.cat([cache, steps], -1)
        cache.copy_(full[..., steps.shape[-1] :])
        return unshift(full)
