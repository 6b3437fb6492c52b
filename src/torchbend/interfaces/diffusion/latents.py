"""Latents: between two of them, and between the VAE's own numbers and those that a pipeline works with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torchbend.errors import GenerationError, ShapeError

__all__ = ["from_codec", "slerp", "to_codec"]

_NEARLY_PARALLEL = 0.9995


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Between two noises, along the great circle: as loud in the middle as at the ends.

    ``sin((1 - s) w) / sin(w) * a + sin(s w) / sin(w) * b`` where w is the angle between them (Shoemake 1985);
    along the straight line where they are nearly parallel. Each item of the batch by itself.

    Args:
        a, b: of one shape ``[B, ...]``.
        share: 0 gives ``a``, 1 gives ``b``.

    Raises:
        ShapeError: the shapes differ.
    """
    if a.shape != b.shape:
        raise ShapeError(
            "only latents of one shape have something between them",
            site="latents",
            wanted=list(a.shape),
            got=list(b.shape),
        )
    rows = (a.flatten(1).double(), b.flatten(1).double())
    cosine = torch.nn.functional.cosine_similarity(*rows, dim=1).clamp(-1, 1)
    angle = cosine.arccos()
    straight = (cosine.abs() > _NEARLY_PARALLEL) | (angle.sin() == 0)
    safe = torch.where(straight, torch.ones_like(angle), angle)
    first = torch.where(straight, torch.full_like(angle, 1 - share), ((1 - share) * safe).sin() / safe.sin())
    second = torch.where(straight, torch.full_like(angle, share), (share * safe).sin() / safe.sin())
    return (first[:, None] * rows[0] + second[:, None] * rows[1]).reshape(a.shape).to(a.dtype)


def to_codec(latents: Tensor, config: Any) -> Tensor:
    """What a VAE decodes, of the latents that a pipeline works with.

    Args:
        latents: shape ``[B, C, h, w]``.
        config: of the VAE.
    """
    factor = getattr(config, "scaling_factor", None) or 1.0
    statistics = _statistics(latents, config)
    if statistics is not None:
        mean, deviation = statistics
        return latents * deviation / factor + mean
    return latents / factor + (getattr(config, "shift_factor", None) or 0.0)


def from_codec(encoded: Tensor, config: Any) -> Tensor:
    """The latents that a pipeline works with, of what a VAE encodes; the other way round than `to_codec`."""
    factor = getattr(config, "scaling_factor", None) or 1.0
    statistics = _statistics(encoded, config)
    if statistics is not None:
        mean, deviation = statistics
        return (encoded - mean) * factor / deviation
    return (encoded - (getattr(config, "shift_factor", None) or 0.0)) * factor


def _statistics(x: Tensor, config: Any) -> tuple[Tensor, Tensor] | None:
    held = [getattr(config, f"latents_{name}", None) for name in ("mean", "std")]
    if None in held:
        return None
    first, second = (torch.tensor(h, device=x.device, dtype=x.dtype).view(1, -1, 1, 1) for h in held)
    if first.shape[1] != x.shape[1]:
        raise GenerationError(
            "the VAE's statistics do not fit its latents",
            site="latents_mean",
            wanted=f"{x.shape[1]} channels",
            got=f"{first.shape[1]}",
        )
    return first, second
