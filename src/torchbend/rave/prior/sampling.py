"""Drawing values from logits, with randomness that comes as uniform numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from torchbend.rave.prior.quantised_normal import QuantisedNormal

__all__ = ["Choice", "Uniform", "draw", "uniform"]

Uniform = Callable[[Tensor], Tensor]
"""Gives uniform numbers in [0, 1) in the shape and type of a tensor, on its device."""


def uniform(seed: int | None = None) -> Uniform:
    """A source of uniform numbers.

    Args:
        seed: gives the same numbers each time; PyTorch's own randomness when left out.
    """
    if seed is None:
        return lambda like: torch.rand_like(like)
    source = torch.Generator().manual_seed(seed)
    return lambda like: torch.rand(like.shape, generator=source).to(like)


def draw(logits: Tensor, temperature: Tensor | float, noise: Tensor) -> Tensor:
    """One of the values, each as often as its share says: ``softmax(logits / temperature)``.

    Args:
        logits: of each value, shape ``[..., values]``.
        temperature: 0 or more: small ones prefer the likeliest value, 0 takes it; large ones prefer none.
            One number, or a shape that broadcasts with ``logits``.
        noise: uniform numbers in [0, 1), shape ``[...]``.

    Returns:
        Shape ``[...]``, type ``int64``.

    >>> draw(torch.tensor([0.0, 1.0, 0.5]), 0.0, torch.tensor(0.999))
    tensor(1)
    """
    smallest = torch.finfo(logits.dtype).tiny
    heat = torch.as_tensor(temperature).to(logits).clamp_min(smallest)
    # The largest is 0 before the division: nothing overflows, whatever the temperature.
    shares = torch.softmax((logits - logits.amax(-1, keepdim=True)) / heat, -1).cumsum(-1)
    total = shares[..., -1:]
    # Where rounding lets the noise reach the total, the last value whose share is not empty is meant.
    return torch.minimum((shares <= noise.unsqueeze(-1) * total).sum(-1), (shares < total).sum(-1))


@dataclass(frozen=True)
class Choice:
    """How the next step is chosen.

    Attributes:
        quantiser: between values and whole numbers.
        noise: where uniform numbers come from.
        likeliest: take the likeliest value and the middle of its share: nothing is random.
    """

    quantiser: QuantisedNormal
    noise: Uniform
    likeliest: bool

    def __call__(self, logits: Tensor, temperature: Tensor | float) -> tuple[Tensor, Tensor]:
        """The next step as whole numbers, and as values that a normal distribution could have given.

        Args:
            logits: shape ``[B, L, resolution]``.
            temperature: one number, or shape ``[B, 1, 1]``.

        Returns:
            Both of shape ``[B, L]``.
        """
        if self.likeliest:
            index = logits.argmax(-1)
            return index, self.quantiser.to_values(index, torch.full_like(logits[..., 0], 0.5))
        index = draw(logits, temperature, self.noise(logits[..., 0]))
        return index, self.quantiser.to_values(index, self.noise(logits[..., 0]))
