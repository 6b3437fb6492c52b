"""What is known of a sequence of steps before it is continued, and which frames it gives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from torchbend.rave.prior.diagonal_shift import shift
from torchbend.rave.prior.quantised_normal import QuantisedNormal

__all__ = ["Plan", "plan_for"]


@dataclass(frozen=True)
class Plan:
    """Steps of which the first are known, and some latents of the later ones.

    Attributes:
        index: whole numbers, anything where they are not known, shape ``[B, L, S]``.
        known: which ones are, shape ``[L, S]``.
    """

    index: Tensor
    known: Tensor

    @property
    def start(self) -> int:
        """Number of steps at the front that are known as a whole."""
        return int(self.known.all(0).long().cumprod(0).sum())


def plan_for(prompt: Tensor, frames: int, quantiser: QuantisedNormal) -> Plan:
    """The steps that hold a prompt and the frames after it.

    All latents of the prompt are kept, those in steps that it fills only in part too. Before a prompt that is
    too short for a whole step there are zeros: with no prompt at all the first step is one of zeros, as at
    the start of a stream.

    Args:
        prompt: latents, shape ``[B, L, n]``, n from 0 on.
        frames: that follow.
        quantiser: gives whole numbers.

    Returns:
        Steps of which the last ``frames + L - 1`` hold the frames after the prompt.
    """
    latents, given = prompt.shape[1:]
    before = max(latents - given, 0)
    # The last latent of a frame lies in a later step than the first, beside frames that nobody asked for.
    end = before + given + frames + latents - 1
    z = prompt.new_zeros(prompt.shape[0], latents, end)
    z[..., before : before + given] = prompt
    frame = torch.arange(end, device=z.device)
    told = ((frame >= before) & (frame < before + given)).expand(1, latents, end)
    known = shift(told)[0].clone()
    known[:, 0] = True
    return Plan(quantiser.to_index(shift(z)), known)
