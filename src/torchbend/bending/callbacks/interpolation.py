"""Mix activations: the items of a batch, or recordings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.capture import Capture
from torchbend.bending.site_state import SiteState
from torchbend.errors import CallbackError

__all__ = ["InterpolateActivation", "InterpolationFromCapture"]


class InterpolateActivation(BendingCallback):
    """Mixes the items of the batch, by weights given when the model is called.

    The call takes two more inputs: ``interp_weights``, of shape ``[N, B]`` or ``[B]``, and
    ``softmax`` (False), which normalises them. Weights are used as they are otherwise.

    Shape: ``[B, *]`` to ``[N, *]`` (``[1, *]`` for weights of shape ``[B]``).
    """

    weight_compatible = False
    changes_shape = True
    writes_in_place = False

    def bend(  # type: ignore[override]
        self, x: Tensor, site: SiteState, *, interp_weights: Any, softmax: bool = False
    ) -> Tensor:
        """The weighted sums of the items of ``x``.

        Raises:
            CallbackError: the weights are not one per item.
        """
        return mixed(x, torch.as_tensor(interp_weights), softmax, site, "interp_weights")


class InterpolationFromCapture(Capture):
    """Records like ``Capture``; then its input is taken as weights over the recordings.

    While recording, and as long as nothing is recorded, activations pass. After that the input of
    the site is ``[N, K]`` (or ``[K]``) weights, K being the number of recorded items, and their
    softmax mixes the recordings: give them with ``from_activations(site, site=weights)``.

    Shape: ``[N, K]`` to ``[N, *]`` for recordings of shape ``[K, *]``.
    """

    changes_shape = True

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """The mix of the recordings, by the softmax of ``x``.

        Raises:
            CallbackError: ``x`` is not one weight per recording.
        """
        if self.capturing:
            self._record(x, site)
        if self.capturing or site.label not in self._recorded:
            return x
        recorded = self.get_capture(site.label)
        return mixed(recorded.to(x.device), x, True, site, f"the input of {site.label}")


def mixed(items: Tensor, weights: Tensor, softmax: bool, site: SiteState, what: str) -> Tensor:
    """Sums of ``items`` along dim 0, weighted.

    Args:
        items: ``[K, *]``.
        weights: ``[N, K]``, or ``[K]``.
        softmax: normalise the weights.
        site: named in the error.
        what: what the weights are called in the error.

    Raises:
        CallbackError: the shapes do not fit.
    """
    count = items.shape[0] if items.dim() else 0
    rows = weights.reshape(1, -1) if weights.dim() == 1 else weights
    if count == 0 or rows.dim() != 2 or rows.shape[1] != count:
        raise CallbackError(
            f"{what} is not one weight per item",
            site=site.label,
            wanted=f"weights of shape [N, {count}] or [{count}]",
            got=f"shape {list(weights.shape)}, for items of shape {list(items.shape)}",
            next_step=f"give {count} weights for each mix",
        )
    wide = (
        torch.promote_types(items.dtype, torch.get_default_dtype()) if not _is_float(items) else items.dtype
    )
    rows = rows.to(device=items.device, dtype=wide)
    rows = torch.softmax(rows, dim=1) if softmax else rows
    mix: Tensor = torch.tensordot(rows, items.to(wide), dims=([1], [0]))
    return mix


def _is_float(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()
