"""Clamp: cut off what lies outside a range."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback

__all__ = ["Clamp"]


class Clamp(BendingCallback):
    """Brings values under ``min`` to ``min`` and values over ``max`` to ``max``.

    Args:
        min: lowest value, a number, a control or an expression; None: no lower end.
        max: highest value, likewise.

    Shape: any, kept.

    Raises:
        CallbackError: both ends are None, or ``min`` is over ``max``.

    Example:
        >>> import torch, torchbend as tb
        >>> tb.Clamp(-1.0, 1.0)(torch.tensor([0.5, -3.0])).tolist()
        [0.5, -1.0]
    """

    writes_in_place = False
    controllable_params = ("min", "max")

    def __init__(self, min: Any = -1.0, max: Any = 1.0) -> None:
        super().__init__()
        if min is None and max is None:
            raise self.wrong("min", "a number for min, for max, or for both", None)
        self.register_controllable("min", min, low=-math.inf, optional=True)
        self.register_controllable("max", max, low=-math.inf, optional=True)
        if min is not None and max is not None and bool(self.get("min") > self.get("max")):
            raise self.wrong("min", f"a number up to max, which is {self.get('max')}", self.get("min"))

    def bend(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """``min <= x <= max``."""
        if x.is_complex():
            return torch.complex(self.bend(x.real), self.bend(x.imag))
        low, high = self.get("min"), self.get("max")
        if x.dtype == torch.bool:  # torch has no clamp for bool
            x = x.to(torch.uint8)
        out = x if low is None else x.clamp(min=low)
        return out if high is None else out.clamp(max=high)
