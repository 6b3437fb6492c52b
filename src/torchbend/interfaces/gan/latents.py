"""Latents: numbers drawn for a seed, and ways between two of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from torchbend.errors import GenerationError

__all__ = ["Seeds", "drawn", "numbers_of", "slerp"]

Seeds = int | Sequence[int]

_LARGEST = 2**32


def numbers_of(seeds: Seeds, first: int | None) -> list[int]:
    """The seed of each image.

    Args:
        seeds: how many images, or a seed for each.
        first: the seed of the first image, where ``seeds`` is a number; the next ones follow it. None:
            drawn by torch's own random numbers.

    Raises:
        GenerationError: these are no seeds.
    """
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        if seeds < 1:
            raise _no_seeds(seeds)
        if first is None:
            return [int(n) for n in torch.randint(0, 2**31, (seeds,))]
        numbers = list(range(first, first + seeds))
    elif isinstance(seeds, list | tuple | range):
        numbers = list(seeds)
    else:
        raise _no_seeds(seeds)
    whole = all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < _LARGEST for n in numbers)
    if not numbers or not whole:
        raise _no_seeds(numbers)
    return numbers


def _no_seeds(got: object) -> GenerationError:
    return GenerationError(
        "these are no seeds",
        site="seeds",
        wanted=f"a number of images, or a list of whole numbers from 0 to {_LARGEST - 1}",
        got=repr(got)[:80],
        next_step="generate(4, seed=1), or generate([1, 2, 5])",
    )


def drawn(seeds: Sequence[int], size: int) -> Tensor:
    """Normal random numbers for each seed: those that NVIDIA's programs draw for it, by NumPy.

    Args:
        seeds: one for each row.
        size: numbers in a row.

    Returns:
        Shape ``[seeds, size]``.
    """
    rows = [np.random.RandomState(seed).randn(size) for seed in seeds]
    return torch.from_numpy(np.stack(rows)).float()


def slerp(a: Tensor, b: Tensor, parts: Tensor) -> Tensor:
    """From one latent to another on a great circle, so that those between are as long as both.

    Args:
        a, b: shape ``[n]``.
        parts: shape ``[steps]``, from 0 (a) to 1 (b).

    Returns:
        Shape ``[steps, n]``.
    """
    cosine = (a @ b / (a.norm() * b.norm()).clamp(min=1e-12)).clamp(-1.0, 1.0)
    angle = torch.arccos(cosine)
    t = parts[:, None]
    if float(torch.sin(angle)) < 1e-4:
        return torch.lerp(a, b, t)
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
