"""Rewire: connect channels otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.axes import channel_dim, checked_dim
from torchbend.bending.site_state import SiteState
from torchbend.errors import CallbackError

__all__ = ["Rewire", "channel_list"]


class Rewire(BendingCallback):
    """Channel ``i`` of the result is channel ``channels[i]`` of the input.

    Channels may be taken several times. A list that is shorter than the channels leaves the rest
    in place; a dict names only those that change: ``{0: 3, 3: 0}`` swaps two.

    Args:
        channels: a list, or a dict from place to source. None: the reverse order.
        dim: of the channels. None: dim 1 of an activation, dim 0 of a weight.

    Shape: any, kept.

    Raises:
        CallbackError: ``channels`` is of another type or names channels that do not exist, or
            ``dim`` is not a dimension of the tensor.
    """

    writes_in_place = False

    def __init__(self, channels: Any = None, dim: int | None = None) -> None:
        super().__init__()
        if isinstance(channels, Mapping):
            places = channel_list(self, list(channels.keys()))
            self.wires: dict[int, int] | None = dict(
                zip(places, channel_list(self, list(channels.values())), strict=True)
            )
        else:
            self.wires = None if channels is None else dict(enumerate(channel_list(self, channels)))
        self.channels = channels
        self.dim = checked_dim(self, dim)

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` with its channels rewired."""
        dim = channel_dim(self, x, site, self.dim)
        if dim is None:
            return x
        if self.wires is None:
            return x.flip(dim)
        size = int(x.shape[dim])
        check_channels(self, [*self.wires, *self.wires.values()], size, site)
        return x.index_select(dim, site.once(("order", size, x.device), lambda: self._order(size, x.device)))

    def _order(self, size: int, device: torch.device) -> Tensor:
        order = list(range(size))
        for place, source in (self.wires or {}).items():
            order[place] = source % size
        return torch.tensor(order, device=device)


def channel_list(owner: BendingCallback, channels: Any) -> list[int]:
    """``channels`` as a list of ints.

    Raises:
        CallbackError: it is not a sequence of ints.
    """
    listed = channels.tolist() if isinstance(channels, Tensor) else channels
    if isinstance(listed, Sequence) and not isinstance(listed, str) and all(type(c) is int for c in listed):
        return list(listed)
    raise owner.wrong("channels", "a list of ints", channels)


def check_channels(owner: BendingCallback, channels: Sequence[int], size: int, site: SiteState) -> None:
    """Checks that all of ``channels`` exist, negative ones counting from the end.

    Raises:
        CallbackError: one does not.
    """
    outside = [c for c in channels if not -size <= c < size]
    if outside:
        raise CallbackError(
            f"{type(owner).__name__} names channels that do not exist",
            site=site.label,
            wanted=f"channels from 0 to {size - 1}",
            got=", ".join(map(str, outside[:8])),
            next_step="give channels of this site, or another dim=",
        )
