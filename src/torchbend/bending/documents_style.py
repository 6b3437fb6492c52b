"""Callbacks in the documents' style: ``bend_input`` and ``apply_to_param`` instead of ``bend``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from torchbend.bending.site_state import SiteState
from torchbend.errors import CallbackError

if TYPE_CHECKING:
    from torchbend.bending.callback import BendingCallback

__all__ = ["Overrides", "Memory", "overrides", "run", "current_site"]

_site: ContextVar[SiteState | None] = ContextVar("torchbend_documents_site", default=None)
_INDEX = "documents_style.index"


@dataclass(frozen=True)
class Overrides:
    """What a class in the documents' style overrides.

    Attributes:
        bend_input: whether it is overridden; ``takes_name``: whether that takes the site's name.
        apply_to_param: whether it is overridden.
        extra_inputs: further parameters of ``bend_input``.
    """

    bend_input: bool
    apply_to_param: bool
    takes_name: bool
    extra_inputs: tuple[str, ...]


@dataclass
class Memory:
    """What a callback in the documents' style keeps: how many weights were registered."""

    weights: int = 0


def overrides(cls: type, base: type) -> Overrides | None:
    """What ``cls`` overrides, or None when it is in the style of ``bend``.

    The class nearest in the order of inheritance that defines one of the three methods decides.
    """
    for parent in cls.__mro__:
        if parent is base or "bend" in vars(parent):
            return None
        if "bend_input" in vars(parent) or "apply_to_param" in vars(parent):
            break
    changed = {
        name: getattr(cls, name) is not getattr(base, name) for name in ("bend_input", "apply_to_param")
    }
    parameters = list(inspect.signature(cls.bend_input).parameters.values())[2:]  # type: ignore[attr-defined]
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return Overrides(
        **changed,
        takes_name=bool(named) and named[0].kind is not named[0].KEYWORD_ONLY,
        extra_inputs=tuple(p.name for i, p in enumerate(named) if i > 0 or p.kind is p.KEYWORD_ONLY),
    )


def current_site(default: SiteState) -> SiteState:
    """The site that is being bent in this thread, for ``super().bend_input(...)``."""
    return _site.get() or default


def run(
    callback: BendingCallback,
    style: Overrides,
    memory: Memory,
    x: Tensor,
    site: SiteState,
    extra: Mapping[str, Any],
) -> Any:
    """Bends ``x`` with a callback in the documents' style.

    Raises:
        CallbackError: the callback bends weights only and the site is an activation.
    """
    index = _registered(callback, memory, x, site)
    token = _site.set(site)
    try:
        if not site.is_activation and style.apply_to_param:
            param = x.clone()
            out = callback.apply_to_param(index, param, x)
            return param if out is None else out
        if style.bend_input:
            given = {name: extra[name] for name in style.extra_inputs if name in extra}
            bend_input: Any = callback.bend_input
            return bend_input(x, site.name, **given) if style.takes_name else bend_input(x, **given)
    finally:
        _site.reset(token)
    raise CallbackError(
        f"{type(callback).__name__} bends weights only",
        site=site.label,
        wanted="a weight",
        got="an activation",
        next_step="override bend_input(self, x, name) too, or bend(self, x) instead",
    )


def _registered(callback: BendingCallback, memory: Memory, x: Tensor, site: SiteState) -> int:
    index = site.memory.get(_INDEX)
    if index is None:
        index = 0 if site.is_activation else memory.weights
        if site.is_activation:
            callback.register_activation(site.name, x.shape)
        else:
            memory.weights += 1
            callback.register_weight(x, name=site.name, cache=True)
        site.memory[_INDEX] = index
    return int(index)
