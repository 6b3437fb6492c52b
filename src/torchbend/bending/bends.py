"""One bend: a callback and the sites that it applies to; and how it is applied with care."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.recipe import Bend
from torchbend.bending.site_state import SiteState
from torchbend.errors import CallbackError, DeviceError, NonFiniteError, ShapeError, TorchbendError

__all__ = ["AppliedBend", "CallState", "apply_callback", "mismatch"]

logger = logging.getLogger("torchbend")

_SUMMED = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128)


@dataclass(eq=False)
class AppliedBend:
    """A bend in force: a line of a recipe, and the sites of this model that it selected.

    Attributes:
        bend: the callback and its patterns.
        weights: names of the selected weights and buffers.
        activations: ``(method, name)`` of each selected activation.
    """

    bend: Bend
    weights: list[str] = field(default_factory=list)
    activations: list[tuple[str, str]] = field(default_factory=list)
    _states: dict[tuple[str | None, str], SiteState] = field(default_factory=dict)

    @property
    def callback(self) -> BendingCallback:
        """The transformation."""
        return self.bend.callback

    def state(self, name: str, kind: str, fn: str | None = None) -> SiteState:
        """The callback's memory at a site; made at first use, the same from then on."""
        key = (fn, name)
        if key not in self._states:
            self._states[key] = SiteState(name, kind, fn)
        return self._states[key]

    @property
    def keys(self) -> list[str]:
        """Names of all its sites."""
        return [*self.weights, *(f"{fn}:{name}" for fn, name in self.activations)]


@dataclass
class CallState:
    """What callbacks need to know about the running call.

    Attributes:
        extra: inputs for callbacks, by name.
        guard: ``"warn"`` tells about a non-finite result once per change, ``"raise"`` refuses each.
        revision: changes with each change of a bend or a control.
        checked: for each site, the revision at which its result was last looked at.
        reshaped: bends that changed a shape in this call, as ``(site, callback, before, after)``.
        retyped: activations whose dtype was changed in this call, as ``(site, before, after)``.
    """

    extra: Mapping[str, Any] = field(default_factory=dict)
    guard: str = "warn"
    revision: Any = 0
    checked: dict[SiteState, Any] = field(default_factory=dict)
    reshaped: list[tuple[str, str, torch.Size, torch.Size]] = field(default_factory=list)
    retyped: list[tuple[str, torch.dtype, torch.dtype]] = field(default_factory=list)


def apply_callback(callback: BendingCallback, x: Tensor, site: SiteState, call: CallState) -> Tensor:
    """``callback`` at ``site``, on a copy where it may write, with its result checked.

    Raises:
        ShapeError: the result has another shape, and the callback does not mean to change it.
        DeviceError: the callback mixes devices, or its result is on another one.
        CallbackError: the callback failed.
        NonFiniteError: the result is not finite and the guard is ``"raise"``.
    """
    shape = x.shape
    try:
        bent: Tensor = callback.apply(x.clone() if callback.writes_in_place else x, site, call.extra)
    except (TorchbendError, torch.OutOfMemoryError):
        raise
    except (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        raise _told(callback, x, site, error) from error
    if bent.device != x.device:
        raise DeviceError(
            f"{callback!r} returned a tensor on another device",
            site=site.label,
            wanted=str(x.device),
            got=str(bent.device),
            next_step=f"keep the tensor on {x.device}, where the model is",
        )
    if bent.dtype != x.dtype and site.kind == "activation":
        call.retyped.append((site.label, x.dtype, bent.dtype))
    if bent.shape != shape:
        if not callback.changes_shape:
            raise ShapeError(
                f"{callback!r} returned another shape: {mismatch(bent.shape, shape)}",
                site=site.label,
                wanted=tuple(shape),
                got=tuple(bent.shape),
                next_step="return the same shape, or say that it is meant: Lambda(fn, changes_shape=True)",
            )
        call.reshaped.append((site.label, repr(callback), shape, bent.shape))
    if call.guard == "raise" or call.checked.get(site, call) != call.revision:
        _check_finite(callback, x, bent, site, call)
    return bent


def mismatch(a: torch.Size, b: torch.Size) -> str:
    """What torch says of two shapes that do not fit."""
    if len(a) != len(b):
        return f"{len(a)} dimensions instead of {len(b)}"
    dim = next(d for d in reversed(range(len(a))) if a[d] != b[d])
    return (
        f"The size of tensor a ({a[dim]}) must match the size of tensor b ({b[dim]}) "
        f"at non-singleton dimension {dim}"
    )


def _told(callback: BendingCallback, x: Tensor, site: SiteState, error: Exception) -> TorchbendError:
    on_devices = "same device" in str(error) or "Expected all tensors to be on" in str(error)
    kind = DeviceError if on_devices else CallbackError
    return kind(
        f"{callback!r} failed: {type(error).__name__}: {error}",
        site=site.label,
        wanted=f"a callback for a {x.dtype} tensor of shape {tuple(x.shape)} on {x.device}",
        next_step=f"move the callback's tensors to {x.device}"
        if on_devices
        else "mend the callback, or reset()",
    )


def _check_finite(
    callback: BendingCallback, x: Tensor, bent: Tensor, site: SiteState, call: CallState
) -> None:
    call.checked[site] = call.revision
    if not (bent.is_floating_point() or bent.is_complex()) or bent.device.type == "meta":
        return
    if torch._C._functorch.peek_interpreter_stack() is not None:  # under vmap a value has no truth of its own
        return
    with torch.no_grad():
        if _all_finite(bent) or not _all_finite(x):
            return
    message = f"{callback!r} made values that are not finite"
    if call.guard == "raise":
        raise NonFiniteError(
            message,
            site=site.label,
            wanted="finite values",
            got=f"{int((~torch.isfinite(bent)).sum())} of {bent.numel()} are NaN or infinite",
            next_step="bend less, put a Clamp behind it, or set guard='warn'",
        )
    logger.warning("%s at %s", message, site.label)


def _all_finite(x: Tensor) -> bool:
    """Whether no value is NaN or infinite.

    A finite sum says so without the copies of the tensor that a look at each value makes; a sum that is not
    finite may have overflowed.
    """
    if x.dtype in _SUMMED and bool(torch.isfinite(x.sum())):
        return True
    return bool(torch.isfinite(x).all())
