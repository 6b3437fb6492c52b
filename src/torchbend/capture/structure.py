"""Arguments and results of a method: bind names, walk nested values, build results again from parts."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from torchbend.errors import CaptureError

_SCALARS = (str, bytes, int, float, complex, bool, type(None), torch.dtype, torch.device, torch.Size)

__all__ = ["bind_inputs", "call_arguments", "walk", "has_tensor", "take", "put", "rebuild", "state_of"]

logger = logging.getLogger("torchbend")

Signature = inspect.Signature
_MISSING = inspect.Parameter.empty


def signature_of(module: nn.Module, method: str) -> Signature:
    """The signature of ``module.method``; of a scripted method, the one of its schema."""
    function = getattr(module, method)
    try:
        return inspect.signature(function)
    except (ValueError, TypeError):
        names = [a.name for a in function.schema.arguments[1:]]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return Signature([inspect.Parameter(n, kind) for n in names])


def bind_inputs(
    module: nn.Module, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> inspect.BoundArguments:
    """Bind ``args`` and ``kwargs`` to the method's parameters.

    One keyword of an unknown name is taken for the one required parameter that is missing, with a warning:
    ``trace(x=x)`` of a method whose only argument is called ``t`` is a slip, not a question.

    Raises:
        CaptureError: the arguments do not fit; the message names those that the method takes.
    """
    signature = signature_of(module, method)
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        renamed = _one_slip(signature, args, dict(kwargs))
        if renamed is not None:
            given, wanted = renamed
            logger.warning("%s() has no argument %r: taken for %r", method, given, wanted)
            names = {wanted if k == given else k: v for k, v in kwargs.items()}
            return signature.bind(*args, **names)
        raise CaptureError(
            f"these arguments do not fit {type(module).__name__}.{method}: {error}",
            site=method,
            wanted=f"{method}{signature}",
            got=f"{len(args)} positional, keywords {sorted(kwargs)}",
            next_step="pass the arguments that the method takes, by position or by name",
        ) from None


def _one_slip(signature: Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str] | None:
    parameters = signature.parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return None
    unknown = [k for k in kwargs if k not in parameters]
    named = [p for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD or p.kind is p.KEYWORD_ONLY]
    missing = [p.name for p in named[len(args) :] if p.default is _MISSING and p.name not in kwargs]
    if len(unknown) == 1 and len(missing) == 1:
        return unknown[0], missing[0]
    return None


def call_arguments(bound: inspect.BoundArguments) -> Iterator[tuple[str, Any, Any]]:
    """Every argument as ``(name, value, default)``: ``*args`` as ``args_0, args_1``, ``**kwargs`` by key.

    ``value`` is ``inspect.Parameter.empty`` where the default is used.
    """
    for name, parameter in bound.signature.parameters.items():
        value = bound.arguments.get(name, _MISSING)
        if parameter.kind is parameter.VAR_POSITIONAL:
            for k, item in enumerate(() if value is _MISSING else value):
                yield f"{name}_{k}", item, _MISSING
        elif parameter.kind is parameter.VAR_KEYWORD:
            for key, item in ({} if value is _MISSING else value).items():
                yield key, item, _MISSING
        else:
            yield name, value, parameter.default


def state_of(value: object) -> dict[str, Any] | None:
    """The attributes of a plain object that may hold tensors; ``None`` for anything else."""
    if isinstance(value, (nn.Module, type, torch.Tensor)) or callable(value):
        return None
    state = getattr(value, "__dict__", None)
    return state if isinstance(state, dict) and state else None


def children(value: Any) -> Iterator[tuple[int | str, Any, str]]:
    """The parts of a nested value, with how to reach each: ``"item"`` or ``"attribute"``."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, (int, str)):
                yield key, item, "item"
    elif isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            yield k, item, "item"
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for f in dataclasses.fields(value):
            yield f.name, getattr(value, f.name, None), "attribute"
    else:
        for name, item in (state_of(value) or {}).items():
            yield name, item, "attribute"


def walk(value: Any) -> Iterator[tuple[tuple[int | str, ...], torch.Tensor]]:
    """Each tensor inside ``value`` with the path that leads to it.

    A step of the path is an index or a key, or ``".name"`` for an attribute.
    """
    return _walk(value, set())


def _walk(value: Any, above: set[int]) -> Iterator[tuple[tuple[int | str, ...], torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield (), value
    elif id(value) not in above and len(above) < 12 and not isinstance(value, _SCALARS):
        inside = above | {id(value)}
        for key, item, kind in children(value):
            step = f".{key}" if kind == "attribute" else key
            for path, tensor in _walk(item, inside):
                yield (step, *path), tensor


def has_tensor(value: Any) -> bool:
    """Whether a tensor is anywhere inside ``value``."""
    return next(walk(value), None) is not None


def take(value: Any, path: tuple[int | str, ...]) -> Any:
    """The part of ``value`` at ``path`` (steps as in `walk`)."""
    for step in path:
        attribute = isinstance(step, str) and step.startswith(".")
        value = getattr(value, str(step)[1:]) if attribute else value[step]
    return value


def put(value: Any, path: tuple[int | str, ...], part: Any) -> Any:
    """``value`` with the part at ``path`` replaced; tuples, lists and dicts on the way are made anew."""
    if not path:
        return part
    step, rest = path[0], path[1:]
    inner = put(take(value, (step,)), rest, part)
    if isinstance(step, str) and step.startswith("."):
        changed = copy.copy(value)
        setattr(changed, step[1:], inner)
        return changed
    if isinstance(value, tuple):
        items = [inner if k == step else v for k, v in enumerate(value)]
        named = hasattr(value, "_fields")
        return type(value)(*items) if named else type(value)(items)
    changed = copy.copy(value)
    changed[step] = inner
    return changed


def rebuild(kind: type, state: dict[str, Any]) -> Any:
    """An object of class ``kind`` with the attributes ``state``, made without calling its constructor."""
    made: Any = object.__new__(kind)
    made.__dict__.update(state)
    return made


def assemble(value: Any, node_of: Callable[[Any], Any], call: Callable[..., Any]) -> Any:
    """``value`` with each tensor or traced number replaced by ``node_of`` of it.

    Lists, tuples and plain dicts stay what they are; named tuples, dataclasses, mappings of other classes
    and objects with attributes become a ``call(function, args, kwargs)`` that builds them again.
    """
    found = node_of(value)
    if found is not None:
        return found
    if isinstance(value, torch.Size):
        sizes = tuple(assemble(v, node_of, call) for v in value)
        return value if sizes == tuple(value) else call(torch.Size, (sizes,), {})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return call(type(value), tuple(assemble(v, node_of, call) for v in value), {})
    if isinstance(value, (list, tuple)):
        items = [assemble(v, node_of, call) for v in value]
        return items if isinstance(value, list) else tuple(items)
    if not has_tensor(value):
        return value
    if type(value) is dict:
        return {k: assemble(v, node_of, call) for k, v in value.items()}
    kind: Any = type(value)
    if isinstance(value, Mapping) and dataclasses.is_dataclass(kind):
        fields = {k: assemble(v, node_of, call) for k, v in value.items()}
        return call(kind, (), fields)
    if isinstance(value, Mapping):
        return call(type(value), ({k: assemble(v, node_of, call) for k, v in value.items()},), {})
    state = {k: assemble(v, node_of, call) for k, v in (state_of(value) or {}).items()}
    return call(rebuild, (type(value), state), {})
