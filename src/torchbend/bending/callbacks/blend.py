"""Blend: dry and wet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.wrapping import Wrapper
from torchbend.bending.site_state import SiteState
from torchbend.errors import ShapeError

__all__ = ["Blend"]


class Blend(Wrapper):
    """``(1 - mix) * x + mix * callback(x)``: how much of a bend there is.

    At 0 the result is ``x`` and at 1 it is the callback's, to the bit.

    Args:
        callback: any callback that keeps the shape.
        mix: 0 dry, 1 wet, and beyond; a number, a control or an expression.

    Shape: any, kept.

    Raises:
        CallbackError: the arguments are of other types.
        ShapeError: the callback returned another shape.
    """

    controllable_params = ("mix",)

    def __init__(self, callback: BendingCallback, mix: Any = 1.0) -> None:
        super().__init__(callback)
        self.register_controllable("mix", mix)

    def _call_bend(self, x: Tensor, site: SiteState, extra: Mapping[str, Any]) -> Any:
        mix = self.get("mix")
        live = isinstance(mix, Tensor)
        source = x.clone() if self.callback.writes_in_place else x
        wet: Tensor = self.callback.apply(source, site.child("blend"), extra)
        if wet.shape != x.shape:
            raise ShapeError(
                f"{self.callback!r} changes the shape, and cannot be blended with its input",
                site=site.label,
                wanted=tuple(x.shape),
                got=tuple(wet.shape),
                next_step="wrap a callback that keeps the shape",
            )
        if not live and mix == 1:
            return wet
        if not live and mix == 0:
            return x
        return x * (1 - mix) + wet * mix
