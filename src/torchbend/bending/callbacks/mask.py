"""Mask and OrderedMask: silence a random part of a tensor."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.axes import checked_dim
from torchbend.bending.callbacks.draws import draw_shape, ranks, uniform
from torchbend.bending.site_state import SiteState

__all__ = ["Mask", "OrderedMask"]


class Mask(BendingCallback):
    """Keeps each value with probability ``prob``; the others become 0.

    What is kept is drawn once for (seed, site): for a weight value by value, for an activation
    channel by channel, unless ``dim`` is given. Turning ``prob`` up only adds to what is kept.

    Args:
        prob: probability to keep, in [0, 1]; a number, a control or an expression.
        seed: of the draw. None: drawn once.
        dim: draw one value per index along this dimension.

    Shape: any, kept.

    Raises:
        CallbackError: ``prob`` is outside [0, 1], or ``dim`` is not a dimension of the tensor.

    Example:
        >>> import torch, torchbend as tb
        >>> kept = tb.Mask(0.5, seed=1)(torch.ones(1, 8, 1)).flatten()
        >>> kept.tolist()
        [0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]
    """

    writes_in_place = False
    controllable_params = ("prob",)

    def __init__(self, prob: Any = 0.3, seed: int | None = None, dim: int | None = None) -> None:
        super().__init__(seed)
        self.register_controllable("prob", prob, low=0, high=1)
        self.dim = checked_dim(self, dim)

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` where the draw lies under ``prob``, else 0."""
        drawn = uniform(x, site, self.seed, draw_shape(self, x, site, self.dim))
        return x.masked_fill(drawn >= self.get("prob"), 0)


class OrderedMask(BendingCallback):
    """Keeps the fraction ``prob`` of the values, exactly; the others become 0.

    The values (channels, for an activation) are put in a random order once for (seed, site), and
    the first ones are kept: what is kept at 25 % is kept at 50 % too.

    Args:
        prob: fraction to keep, in [0, 1]; a number, a control or an expression.
        seed: of the order. None: drawn once.
        dim: order the indices along this dimension.

    Shape: any, kept.

    Raises:
        CallbackError: ``prob`` is outside [0, 1], or ``dim`` is not a dimension of the tensor.

    Example:
        >>> import torch, torchbend as tb
        >>> kept = tb.OrderedMask(0.25, seed=1)(torch.ones(1, 8, 1)).flatten()
        >>> int(kept.sum())
        2
    """

    writes_in_place = False
    controllable_params = ("prob",)

    def __init__(self, prob: Any = 0.3, seed: int | None = None, dim: int | None = None) -> None:
        super().__init__(seed)
        self.register_controllable("prob", prob, low=0, high=1)
        self.dim = checked_dim(self, dim)

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` where the rank lies under ``prob`` times the count, else 0."""
        shape = draw_shape(self, x, site, self.dim)
        order = ranks(x, site, self.seed, shape, torch.int32)
        count = self.get("prob") * math.prod(shape) + 0.5
        cut = torch.floor(count) if isinstance(count, Tensor) else math.floor(count)
        return x.masked_fill(order >= cut, 0)
