"""Freeze: hold a value."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.site_state import SiteState, kept

__all__ = ["Freeze"]


class Freeze(BendingCallback):
    """While ``hold`` is on, goes on giving the first value that it saw since it was turned on.

    An input of another shape, or on another device, is held anew.

    Args:
        hold: on or off; a bool, a control or an expression. Always on by default: the first
            value of all stays.

    Shape: any, kept.
    """

    jit_compatible = False
    nntilde_compatible = False
    writes_in_place = False
    controllable_params = ("hold",)

    def __init__(self, hold: Any = True) -> None:
        super().__init__()
        self.register_controllable("hold", hold)

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """The held value, or ``x``."""
        if not bool(self.get("hold")):
            site.memory.pop("held", None)
            return x
        held: Tensor | None = site.memory.get("held")
        if held is None or held.shape != x.shape or held.dtype != x.dtype or held.device != x.device:
            held = kept(x)
            site.memory["held"] = held
        return held.clone()  # the model may write into what it gets
