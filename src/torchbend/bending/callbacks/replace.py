"""Replace: another tensor in the place of a weight or an activation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from torchbend.bending.callback import BendingCallback
from torchbend.bending.site_state import SiteState
from torchbend.errors import CallbackError, ShapeError

__all__ = ["Replace"]


class Replace(BendingCallback):
    """Gives ``value`` instead of what was there.

    Args:
        value: a tensor of the site's shape, or one that broadcasts to it; or a number, a control
            or an expression. It takes the site's dtype and device.

    Shape: any, kept.

    Raises:
        CallbackError: ``value`` is neither a tensor nor a number.
        ShapeError: at a site, when the tensor does not broadcast to its shape.
    """

    writes_in_place = False
    controllable_params = ("value",)

    def __init__(self, value: Any = 0.0) -> None:
        super().__init__()
        if isinstance(value, Tensor):
            self.value: Any = value.detach().clone()
        else:
            self.register_controllable("value", value)

    @classmethod
    def from_module(cls, module: nn.Module, name: str) -> Replace:
        """Replaces by a copy of the weight or buffer ``name`` of another model.

        Raises:
            CallbackError: the model has no such weight.
        """
        tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        if name not in tensors:
            raise CallbackError(
                f"{type(module).__name__} has no weight {name!r}",
                site=name,
                wanted="a name of named_parameters() or named_buffers()",
                got=name,
                next_step=f"its first ones are {', '.join(list(tensors)[:5])}",
            )
        return cls(tensors[name])

    def _made_with(self, arguments: dict[str, Any]) -> None:
        if isinstance(self.value, Tensor):  # the copy: what the caller does to the original is not ours
            arguments["value"] = self.value
            self._arguments = arguments
        else:
            super()._made_with(arguments)

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``value`` in the shape, dtype and device of ``x``."""
        value = self.get("value")
        if not isinstance(value, Tensor):
            if isinstance(value, complex) and not x.is_complex():
                raise self.wrong("value", f"a real number, for {site.label}, which is {x.dtype}", value)
            return torch.full_like(x, value)
        try:
            return value.to(device=x.device, dtype=x.dtype).expand(x.shape).clone()
        except RuntimeError as error:
            raise ShapeError(
                "the tensor to replace with does not fit",
                site=site.label,
                wanted=f"a shape that broadcasts to {tuple(x.shape)}",
                got=tuple(value.shape),
                next_step="give a tensor of the site's shape, or a pattern that matches fewer sites",
            ) from error
