"""What a model's latents are like: which of them say something, and how much."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from torchbend.errors import ShapeError
from torchbend.rave.losses.divergences import kl_normal

__all__ = ["ACTIVE_VARIANCE", "LatentStatistics", "latent_statistics"]

ACTIVE_VARIANCE = 0.01
"""A latent whose mean varies more than this over sounds is active (Y. Burda et al., ICLR 2016, section 4)."""


class LatentStatistics(NamedTuple):
    """Of each latent dimension, over frames.

    Attributes:
        mean: ``[L]``.
        std: standard deviation of the latents (the means, of a variational model), ``[L]``.
        divergence: from a standard normal distribution, in nats, averaged over frames, ``[L]``; zeros where
            the model has no scales.
        active: how many dimensions vary more than `ACTIVE_VARIANCE`.
        total_divergence: of all dimensions together, in nats for a frame.
    """

    mean: Tensor
    std: Tensor
    divergence: Tensor
    active: int
    total_divergence: float


def latent_statistics(latents: Tensor, scales: Tensor | None = None) -> LatentStatistics:
    """Mean, deviation, divergence and number of active dimensions.

    Args:
        latents: the means of a variational model's distributions, or the latents of another.
        scales: standard deviations of a variational model's distributions, positive.

    Shape:
        ``[L, frames]`` or ``[B, L, frames]``, with two frames or more in all; both the same.

    Raises:
        ShapeError: there are too few frames, or the shapes differ.
    """
    z = latents.detach()[None] if latents.dim() == 2 else latents.detach()
    s = scales if scales is None or scales.dim() == 3 else scales[None]
    if z.dim() != 3 or z.shape[0] * z.shape[2] < 2 or (s is not None and s.shape != z.shape):
        raise ShapeError(
            "there are no statistics of these latents",
            site="latent_statistics",
            wanted="[L, frames] or [B, L, frames], two frames or more, scales of the same shape",
            got=list(latents.shape) if scales is None else f"{list(latents.shape)}, {list(scales.shape)}",
        )
    z = z.double().cpu()
    flat = z.transpose(0, 1).flatten(1)
    if s is None:
        divergence = torch.zeros(len(flat), dtype=torch.float64)
    else:
        s = s.detach().double().cpu()
        # RAVE leaves out the half of the divergence.
        each = [kl_normal(z[:, k : k + 1], s[:, k : k + 1]) / 2 for k in range(len(flat))]
        divergence = torch.stack(each)
    spread = flat.std(1)
    return LatentStatistics(
        mean=flat.mean(1),
        std=spread,
        divergence=divergence,
        active=int((spread.square() > ACTIVE_VARIANCE).sum()),
        total_divergence=float(divergence.sum()),
    )
