"""Roll and Reverse: move along time."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.axes import along, checked_dim, resolved_dim
from torchbend.bending.site_state import SiteState

__all__ = ["Roll", "Shift", "Reverse"]


class Roll(BendingCallback):
    """Shifts along a dimension; what leaves at one end comes back at the other.

    Args:
        shift: by how many steps, negative ones too; a number (rounded), a control or an expression.
        dim: to shift along; the last one (time) by default.
        wrap: False: zeros come in instead (a delay).

    Shape: any, kept.

    Raises:
        CallbackError: ``dim`` is not a dimension of the tensor.
    """

    writes_in_place = False
    controllable_params = ("shift",)

    def __init__(self, shift: Any = 1, dim: int = -1, wrap: bool = True) -> None:
        super().__init__()
        self.register_controllable("shift", shift, low=-math.inf)
        self.dim = checked_dim(self, dim, optional=False)
        self.wrap = bool(wrap)

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` shifted."""
        if x.dim() == 0 or x.numel() == 0:
            return x
        dim = resolved_dim(self, x, site, self.dim)
        size, shift = x.shape[dim], self.get("shift")
        if isinstance(shift, Tensor):
            shift = torch.round(shift).to(device=x.device, dtype=torch.int64)
        elif self.wrap:
            return torch.roll(x, round(shift), dim)
        else:
            shift = round(shift)
        source = torch.arange(size, device=x.device) - shift
        rolled = x.index_select(dim, source % size)
        if self.wrap:
            return rolled
        return rolled.masked_fill(along((source < 0) | (source >= size), x, dim), 0)


class Shift(Roll):
    """Shifts along a dimension; zeros come in at one end, what leaves at the other is gone: a delay.

    Args:
        shift: by how many steps, negative ones too; a number (rounded), a control or an expression.
        dim: to shift along; the last one (time) by default.

    Shape: any, kept.

    Raises:
        CallbackError: ``dim`` is not a dimension of the tensor.
    """

    def __init__(self, shift: Any = 1, dim: int = -1) -> None:
        super().__init__(shift, dim, wrap=False)


class Reverse(BendingCallback):
    """Turns a dimension around: time runs backwards.

    Args:
        dim: to turn; the last one (time) by default.

    Shape: any, kept.

    Raises:
        CallbackError: ``dim`` is not a dimension of the tensor.
    """

    writes_in_place = False

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = checked_dim(self, dim, optional=False)

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` backwards."""
        return x if x.dim() == 0 else x.flip(resolved_dim(self, x, site, self.dim))
