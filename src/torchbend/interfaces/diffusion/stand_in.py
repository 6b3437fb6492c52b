"""Stand-ins: a pipeline's own code calls them as if they were its modules, and the calls are bent."""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

__all__ = ["bent_pipeline", "stand_in"]

Call = Callable[[nn.Module, str, str, tuple[Any, ...], dict[str, Any]], Any]

_SLOTS = ("torchbend_own", "torchbend_path", "torchbend_call")
_CALLS = ("encode", "decode", "generate", "get_text_features", "get_image_features")
"""Methods that compute, beside the module's call itself."""


def stand_in(own: nn.Module, path: str, call: Call) -> nn.Module:
    """An object that looks like a module in every way, and hands each of its calls to a function.

    It is of a class derived from the module's, and has the module's own attributes: what is set in it is set
    in the module. Modules inside are stand-ins too.

    Args:
        own: the module.
        path: its name in the pipeline.
        call: gets the module, its path, the name of its method (``"forward"``: the call itself), and the
            arguments by position and by name; what it returns is what the caller gets.
    """
    kind: Any = _kind_of(type(own))  # type: ignore[arg-type]  # a class can be hashed
    made: nn.Module = object.__new__(kind)
    object.__setattr__(made, "__dict__", own.__dict__)
    for slot, value in zip(_SLOTS, (own, path, call), strict=True):
        object.__setattr__(made, slot, value)
    return made


def bent_pipeline(pipeline: Any, parts: Mapping[str, nn.Module], call: Call) -> Any:
    """A copy of a pipeline that runs on stand-ins; the pipeline itself is not touched.

    Args:
        pipeline: a pipeline of diffusers.
        parts: the modules to stand in for, by name.
        call: as of `stand_in`.
    """
    made = copy.copy(pipeline)
    held = vars(made)
    held.pop("_num_timesteps", None)  # of an earlier generation
    for name, part in parts.items():
        held[name] = stand_in(part, name, call)
    scheduler = held.get("scheduler")
    if scheduler is not None:
        held["scheduler"] = copy.deepcopy(scheduler)
    held["_progress_bar_config"] = {**held.get("_progress_bar_config", {}), "disable": True}
    return made


@functools.lru_cache(maxsize=256)
def _kind_of(kind: Any) -> Any:
    """The class of stand-ins for modules of a class."""
    members: dict[str, Any] = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
        "__slots__": _SLOTS,
        "__getattr__": _inner_of(kind),
        "__call__": _handed_on("forward"),
    }
    for name in ("forward", *_CALLS):
        if hasattr(kind, name):  # pipelines ask for the signatures of methods
            members[name] = functools.wraps(getattr(kind, name))(_handed_on(name))
    return types.new_class(kind.__name__, (kind,), {}, lambda space: space.update(members))


def _handed_on(method: str) -> Callable[..., Any]:
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self.torchbend_call(self.torchbend_own, self.torchbend_path, method, args, kwargs)

    return run


def _inner_of(kind: Any) -> Callable[[Any, str], Any]:
    def inner(self: Any, name: str) -> Any:
        value = kind.__getattr__(self, name)
        if not isinstance(value, nn.Module):
            return value
        return stand_in(value, f"{self.torchbend_path}.{name}", self.torchbend_call)

    return inner
