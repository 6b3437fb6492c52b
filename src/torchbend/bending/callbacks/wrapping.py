"""What callbacks around one other callback have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.site_state import SiteState

__all__ = ["Wrapper"]


class Wrapper(BendingCallback):
    """Base of callbacks that wrap one: serves what that serves, passes its extra inputs on.

    A subclass overrides ``_call_bend``. The tensor that it gets is the model's own: it gives a
    copy to a callback that writes in place.

    Args:
        callback: the callback inside.

    Raises:
        CallbackError: it is not a callback.
    """

    writes_in_place = False

    def __init__(self, callback: BendingCallback) -> None:
        super().__init__()
        if not isinstance(callback, BendingCallback):
            raise self.wrong("callback", "a BendingCallback", callback)
        self.callback = callback
        for flag in ("weight_compatible", "activation_compatible", "jit_compatible", "nntilde_compatible"):
            setattr(self, flag, getattr(callback, flag))

    def _call_bend(self, x: Tensor, site: SiteState, extra: Mapping[str, Any]) -> Any:
        raise NotImplementedError

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """The wrapped callback's work, without extra inputs."""
        out: Tensor = self._call_bend(x, site, {})
        return out
