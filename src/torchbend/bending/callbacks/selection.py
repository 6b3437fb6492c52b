"""Which channels of a tensor have the largest means."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torchbend.bending.site_state import SiteState

__all__ = ["largest"]


def largest(x: Tensor, site: SiteState, dim: int, fraction: Any, invert: bool) -> Tensor:
    """A mask of the ``fraction`` of the indices along ``dim`` with the largest mean.

    The mean runs over all other dimensions; each item of an activation's batch (dim 0) is
    judged by itself. Of complex values the magnitude counts.

    Args:
        x: the tensor.
        site: where it comes from.
        dim: counted from 0.
        fraction: in [0, 1]; rounded to a whole number of indices.
        invert: the smallest instead.

    Shape: bool, that of ``x`` with 1 where the mean was taken.
    """
    kept_dims = {dim, 0} if site.is_activation else {dim}
    others = [d for d in range(x.dim()) if d not in kept_dims]
    values = x.detach()
    values = values.abs() if values.is_complex() else values
    values = values if values.dtype == torch.float64 else values.float()
    means = values.mean(others, keepdim=True) if others else values
    order = torch.argsort(means, dim=dim, descending=not invert, stable=True)
    rank = torch.argsort(order, dim=dim)
    chosen: Tensor = rank + 0.5 < fraction * x.shape[dim]
    return chosen
