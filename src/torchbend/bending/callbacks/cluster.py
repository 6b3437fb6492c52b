"""Cluster: apply a callback to some channels only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.axes import channel_dim, checked_dim
from torchbend.bending.callbacks.rewire import channel_list, check_channels
from torchbend.bending.callbacks.wrapping import Wrapper
from torchbend.bending.site_state import SiteState
from torchbend.errors import ShapeError

__all__ = ["Cluster"]


class Cluster(Wrapper):
    """Applies ``callback`` to a cluster of channels; the others pass.

    The callback sees a tensor that holds only these channels.

    Args:
        callback: any callback that keeps the shape.
        channels: a list of channels, each once; negative ones count from the end.
        dim: of the channels. None: dim 1 of an activation, dim 0 of a weight.

    Shape: any, kept.

    Raises:
        CallbackError: the arguments are of other types, a channel does not exist, or ``dim`` is not a
            dimension of the tensor.
        ShapeError: the callback returned another shape.
    """

    def __init__(self, callback: BendingCallback, channels: Any, dim: int | None = None) -> None:
        super().__init__(callback)
        self.channels = channel_list(self, channels)
        if len(set(self.channels)) != len(self.channels):
            raise self.wrong("channels", "a list of channels, each once", channels)
        self.dim = checked_dim(self, dim)

    def _call_bend(self, x: Tensor, site: SiteState, extra: Mapping[str, Any]) -> Any:
        dim = channel_dim(self, x, site, self.dim)
        if dim is None or not self.channels:
            return x
        size = int(x.shape[dim])
        check_channels(self, self.channels, size, site)
        index = site.once(
            ("cluster", size, x.device),
            lambda: torch.tensor([c % size for c in self.channels], device=x.device),
        )
        before = x.index_select(dim, index)
        shape = before.shape
        after: Tensor = self.callback.apply(before, site.child("cluster"), extra)
        if after.shape != shape:
            raise ShapeError(
                f"{self.callback!r} changes the shape of a cluster",
                site=site.label,
                wanted=tuple(shape),
                got=tuple(after.shape),
                next_step="wrap a callback that keeps the shape",
            )
        dtype = torch.promote_types(x.dtype, after.dtype)
        return x.to(dtype).index_copy(dim, index, after.to(dtype))
