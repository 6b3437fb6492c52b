"""Gate: silence what is quiet."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.axes import checked_dim, resolved_dim
from torchbend.bending.site_state import SiteState

__all__ = ["Gate"]


class Gate(BendingCallback):
    """Keeps values whose magnitude is at least ``threshold``; the others become 0.

    With ``dim``, whole channels along it open or close, by their mean magnitude (of each item of
    an activation's batch by itself).

    Args:
        threshold: a number, a control or an expression.
        dim: of the channels. None: each value by itself.
        invert: keep what is under the threshold.

    Shape: any, kept.

    Raises:
        CallbackError: ``threshold`` is negative, or ``dim`` is not a dimension of the tensor.
    """

    writes_in_place = False
    controllable_params = ("threshold",)

    def __init__(self, threshold: Any = 0.1, dim: int | None = None, invert: bool = False) -> None:
        super().__init__()
        self.register_controllable("threshold", threshold, low=0)
        self.dim = checked_dim(self, dim)
        self.invert = bool(invert)

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` where it is loud enough, else 0."""
        level = x.detach()
        level = level.abs() if level.is_floating_point() or level.is_complex() else level.float().abs()
        if self.dim is not None:
            dim = resolved_dim(self, x, site, self.dim)
            others = [d for d in range(x.dim()) if d != dim and (d > 0 or not site.is_activation)]
            level = level.mean(others, keepdim=True) if others else level
        opened = level >= self.get("threshold")
        return x.masked_fill(opened if self.invert else ~opened, 0)
