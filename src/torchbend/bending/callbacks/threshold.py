"""ThresholdActivation: keep the loudest channels."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.axes import channel_dim, checked_dim
from torchbend.bending.callbacks.selection import largest
from torchbend.bending.site_state import SiteState

__all__ = ["ThresholdActivation"]


class ThresholdActivation(BendingCallback):
    """Keeps the fraction ``threshold`` of the channels with the largest mean; the others become 0.

    The choice is made anew for each input, and for each item of its batch.

    Args:
        threshold: fraction to keep, in [0, 1]; a number, a control or an expression.
        dim: of the channels. None: dim 1 of an activation, dim 0 of a weight.
        invert: keep those with the smallest mean.

    Shape: any, kept.

    Raises:
        CallbackError: ``threshold`` is outside [0, 1], or ``dim`` is not a dimension of the tensor.
    """

    writes_in_place = False
    controllable_params = ("threshold",)

    def __init__(self, threshold: Any = 0.5, dim: int | None = None, invert: bool = False) -> None:
        super().__init__()
        self.register_controllable("threshold", threshold, low=0, high=1)
        self.dim = checked_dim(self, dim)
        self.invert = bool(invert)

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` in the chosen channels, else 0."""
        dim = channel_dim(self, x, site, self.dim)
        if dim is None:
            return x
        return x.masked_fill(~largest(x, site, dim, self.get("threshold"), self.invert), 0)
