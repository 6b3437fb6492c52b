"""Normal numbers as whole ones: each value is as likely as each other.

A number is sent through the normal distribution function and then rounded down to one of ``resolution`` equal
shares of [0, 1). The way back draws within the share, so that normal numbers come out as normal ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from torchbend.errors import ShapeError

__all__ = ["QuantisedNormal"]

LARGEST = 4.0
"""The outermost shares reach to infinity: their values end here."""


@dataclass(frozen=True)
class QuantisedNormal:
    """A quantiser of standard normal numbers.

    Attributes:
        resolution: number of values, 2 or more.
    """

    resolution: int

    def to_index(self, x: Tensor) -> Tensor:
        """The number of each value's share, from 0; shape of ``x``, type ``int64``.

        >>> QuantisedNormal(4).to_index(torch.tensor([-9.0, -0.1, 0.0, 9.0]))
        tensor([0, 1, 2, 3])
        """
        uniform = (1 + torch.erf(x / math.sqrt(2))) / 2
        return (uniform * self.resolution).floor().long().clamp(0, self.resolution - 1)

    def to_values(self, index: Tensor, dither: Tensor | float = 0.5) -> Tensor:
        """A value of each share.

        Args:
            index: numbers of shares.
            dither: where in the share, in [0, 1): uniform noise, or one number; 0.5 is its median.

        Returns:
            From -4 to 4, shape of ``index``.
        """
        uniform = (index + dither) / self.resolution
        return (math.sqrt(2) * torch.erfinv(2 * uniform - 1)).clamp(-LARGEST, LARGEST)

    def to_one_hot(self, index: Tensor) -> Tensor:
        """A one at ``latent * resolution + index``, zeros elsewhere.

        Args:
            index: shape ``[B, L, T]``.

        Returns:
            Shape ``[B, L * resolution, T]``.
        """
        return F.one_hot(index, self.resolution).transpose(2, 3).flatten(1, 2).to(torch.get_default_dtype())

    def from_one_hot(self, one_hot: Tensor) -> Tensor:
        """The number of the largest value among those of each latent.

        Args:
            one_hot: ones and zeros, or any scores, shape ``[B, L * resolution, T]``.

        Returns:
            Shape ``[B, L, T]``.

        Raises:
            ShapeError: the channels are no multiple of the resolution.
        """
        return self.apart(one_hot).argmax(2)

    def apart(self, scores: Tensor) -> Tensor:
        """Shape ``[B, L * resolution, T]`` to ``[B, L, resolution, T]``.

        Raises:
            ShapeError: the channels are no multiple of the resolution.
        """
        if scores.dim() != 3 or scores.shape[1] % self.resolution:
            raise ShapeError(
                "these are no values of quantised latents",
                site="one_hot",
                wanted=f"[batch, latents * {self.resolution}, time]",
                got=list(scores.shape),
            )
        batch, channels, frames = scores.shape
        return scores.reshape(batch, channels // self.resolution, self.resolution, frames)
