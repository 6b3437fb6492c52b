"""Permute and ThresholdPermute: put channels in another order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.axes import along, channel_dim, checked_dim
from torchbend.bending.callbacks.draws import ranks, uniform
from torchbend.bending.callbacks.selection import largest
from torchbend.bending.site_state import SiteState

__all__ = ["Permute", "ThresholdPermute"]


class Permute(BendingCallback):
    """Puts the channels in a random order, drawn once for (seed, site).

    Args:
        dim: to permute along. None: dim 1 of an activation, dim 0 of a weight.
        seed: of the order. None: drawn once.
        inverse: undoes the permutation of the same seed.

    Shape: any, kept.

    Raises:
        CallbackError: ``dim`` is not a dimension of the tensor.

    Example:
        >>> import torch, torchbend as tb
        >>> x = torch.arange(4.0).reshape(1, 4, 1)
        >>> sorted(tb.Permute(seed=1)(x).flatten().tolist())
        [0.0, 1.0, 2.0, 3.0]
    """

    writes_in_place = False

    def __init__(self, dim: int | None = None, seed: int | None = None, inverse: bool = False) -> None:
        super().__init__(seed)
        self.dim = checked_dim(self, dim)
        self.inverse = bool(inverse)

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` with its indices along ``dim`` in the drawn order."""
        dim = channel_dim(self, x, site, self.dim)
        if dim is None:
            return x
        order = ranks(x, site, self.seed, (int(x.shape[dim]),))
        if self.inverse:
            order = site.once(("inverse", order.shape, order.device), lambda: torch.argsort(order))
        return x.index_select(dim, order)


class ThresholdPermute(BendingCallback):
    """Permutes, among themselves, the fraction ``threshold`` of the channels with the largest mean.

    The channels are chosen anew for each input and each item of its batch; the order that they
    are put in follows from one draw for (seed, site).

    Args:
        threshold: fraction of the channels to permute, in [0, 1]; a number, a control or an expression.
        dim: of the channels. None: dim 1 of an activation, dim 0 of a weight.
        seed: of the order. None: drawn once.
        invert: permute those with the smallest mean.

    Shape: any, kept.

    Raises:
        CallbackError: ``threshold`` is outside [0, 1], or ``dim`` is not a dimension of the tensor.
    """

    writes_in_place = False
    controllable_params = ("threshold",)

    def __init__(
        self, threshold: Any = 0.5, dim: int | None = None, seed: int | None = None, invert: bool = False
    ) -> None:
        super().__init__(seed)
        self.register_controllable("threshold", threshold, low=0, high=1)
        self.dim = checked_dim(self, dim)
        self.invert = bool(invert)

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` with the chosen channels in another order."""
        dim = channel_dim(self, x, site, self.dim)
        if dim is None:
            return x
        size = int(x.shape[dim])
        chosen = largest(x, site, dim, self.get("threshold"), self.invert)
        position = along(torch.arange(size, device=x.device, dtype=torch.float32), x, dim)
        drawn = along(uniform(x, site, self.seed, (size,)), x, dim)
        # both orders begin with the chosen channels, by position and by draw; the rest stays in place
        rest = size + position
        to = torch.argsort(torch.where(chosen, position, rest), dim=dim)
        source = torch.argsort(torch.where(chosen, drawn, rest), dim=dim)
        order = torch.empty_like(to).scatter(dim, to, source)
        return torch.gather(x, dim, order.expand(x.shape))
