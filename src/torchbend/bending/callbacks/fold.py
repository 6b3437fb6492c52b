"""Fold: a wave folder."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback

__all__ = ["Fold"]

_SMALLEST = 1e-4


class Fold(BendingCallback):
    """Reflects what goes beyond ``-threshold`` or ``threshold`` back inside, as often as it takes.

    Inside, values are the input's own, to the bit (with a ``gain`` of 1).

    Args:
        threshold: where to fold, over 0; a number, a control or an expression.
        gain: factor before folding; likewise.

    Shape: any, kept.

    Raises:
        CallbackError: the threshold is under 1e-4.

    Example:
        >>> import torch, torchbend as tb
        >>> tb.Fold(1.0)(torch.tensor([0.5, 1.5, -3.0])).tolist()
        [0.5, 0.5, 1.0]
    """

    writes_in_place = False
    controllable_params = ("threshold", "gain")

    def __init__(self, threshold: Any = 1.0, gain: Any = 1.0) -> None:
        super().__init__()
        self.register_controllable("threshold", threshold, low=_SMALLEST)
        self.register_controllable("gain", gain, low=-math.inf)

    def bend(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """``gain * x``, folded."""
        if x.is_complex():
            return torch.complex(self.bend(x.real), self.bend(x.imag))
        x = x * self.get("gain")
        limit = self.get("threshold")
        limit = limit.clamp(min=_SMALLEST) if isinstance(limit, Tensor) else max(limit, _SMALLEST)
        # a triangle wave of period 4 * limit that is the identity from -limit to limit
        folded = limit - (torch.remainder(x + limit, 4 * limit) - 2 * limit).abs()
        return torch.where(x.abs() <= limit, x, folded)
