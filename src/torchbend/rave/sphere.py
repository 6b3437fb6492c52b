"""Latents on the unit sphere, and the angles that say where."""

from __future__ import annotations

import torch
from torch import Tensor

from torchbend.errors import ShapeError

__all__ = ["from_angles", "normalise", "to_angles"]


def normalise(x: Tensor, epsilon: float = 1e-12) -> Tensor:
    """Vectors at length one.

    Args:
        x: shape ``[B, L, ...]``; the vectors lie along the second axis.
        epsilon: shortest length that is divided by. A vector of zeros stays zero.

    Returns:
        The same shape.

    >>> normalise(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.60..., 0.80...], [0.0, 0.0]]
    """
    length: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / length.clamp_min(epsilon)


def to_angles(x: Tensor) -> Tensor:
    """The direction of vectors as angles in hyperspherical coordinates.

    With r_k the length of what stands after place k, angle k is that between x_k and r_k, taken from their
    quotient's arc tangent, which is exact near the poles, where an arc cosine is not. The last angle runs
    around the whole circle.

    Args:
        x: shape ``[B, L, ...]``, L of 2 or more; of any length.

    Returns:
        In [-1, 1], shape ``[B, L - 1, ...]``: -1 and 1 stand for 0 and pi, in the last place for 0 and 2 pi.
        Where a direction is undefined, as it is for zeros, the angle is 0.

    Raises:
        ShapeError: the vectors have one dimension only.
    """
    if x.dim() < 2 or x.shape[1] < 2:
        raise ShapeError(
            "these vectors have no angles", site="x", wanted="[batch, 2 or more, time]", got=list(x.shape)
        )
    after = x.square().flip(1).cumsum(1).flip(1)[:, 1:].sqrt()
    half = torch.atan2(after[:, :-1], x[:, :-2]) / torch.pi
    around = torch.atan2(x[:, -1:], x[:, -2:-1]) / (2 * torch.pi)
    return 2 * torch.cat([half, torch.where(around < 0, around + 1, around)], 1) - 1


def from_angles(angles: Tensor) -> Tensor:
    """The unit vectors that angles point to; undoes `to_angles`.

    Args:
        angles: in [-1, 1], shape ``[B, L - 1, ...]``.

    Returns:
        Of length one, shape ``[B, L, ...]``.

    Raises:
        ShapeError: there is no angle.
    """
    if angles.dim() < 2 or angles.shape[1] < 1:
        raise ShapeError(
            "no vector has these angles",
            site="angles",
            wanted="[batch, 1 or more, time]",
            got=list(angles.shape),
        )
    radians = (angles + 1) * (torch.pi / 2)
    radians = torch.cat([radians[:, :-1], 2 * radians[:, -1:]], 1)
    sines = radians.sin().cumprod(1)
    first = torch.cat([torch.ones_like(sines[:, :1]), sines[:, :-1]], 1)
    return torch.cat([first * radians.cos(), sines[:, -1:]], 1)
