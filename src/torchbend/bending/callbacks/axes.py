"""Which dimension a callback works along.

One rule for all callbacks with a ``dim``: given, it is that dimension. Not given, it is the
channels: dim 1 of an activation (dim 0 of a 1-D one), dim 0 of a weight (its output channels). An
interface whose model has them elsewhere says so once (``Engine.channels``).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.site_state import SiteState
from torchbend.errors import CallbackError

__all__ = ["checked_dim", "channel_dim", "resolved_dim", "along"]


def checked_dim(owner: BendingCallback, dim: Any, optional: bool = True) -> Any:
    """``dim`` as it was given, once it is known to be an int (or None where that is allowed).

    Raises:
        CallbackError: it is something else.
    """
    if (dim is None and optional) or (isinstance(dim, int) and not isinstance(dim, bool)):
        return dim
    raise owner.wrong("dim", "an int or None" if optional else "an int", dim)


def channel_dim(owner: BendingCallback, x: Tensor, site: SiteState, dim: int | None) -> int | None:
    """The dimension to work along by the rule above, counted from 0.

    None for a 0-dim tensor with no ``dim`` given: it has nothing to work along.

    Raises:
        CallbackError: ``x`` does not have the dimension ``dim``.
    """
    if dim is not None:
        return resolved_dim(owner, x, site, dim)
    if x.dim() == 0:
        return None
    if site.channels is not None and -x.dim() <= site.channels < x.dim():
        return site.channels % x.dim()
    return 1 if site.is_activation and x.dim() > 1 else 0


def resolved_dim(owner: BendingCallback, x: Tensor, site: SiteState, dim: int) -> int:
    """``dim`` counted from 0.

    Raises:
        CallbackError: ``x`` does not have it.
    """
    count = x.dim()
    if not -count <= dim < count:
        raise CallbackError(
            f"{type(owner).__name__} works along a dimension that the {site.kind} does not have",
            site=site.label,
            wanted=f"dim in [{-count}, {count - 1}], for the shape {tuple(x.shape)}" if count else "dim=None",
            got=f"dim={dim}",
            next_step="give another dim=, or a narrower pattern",
        )
    return dim % count


def along(values: Tensor, x: Tensor, dim: int) -> Tensor:
    """1-D ``values`` as a tensor that broadcasts with ``x`` along ``dim``."""
    shape = [1] * x.dim()
    shape[dim] = -1
    return values.reshape(shape)
