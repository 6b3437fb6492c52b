"""The arguments that an object was made with, kept beside it.

Callbacks are described by how they were made: that is what ``repr`` shows, what equality
compares and what a recipe stores.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.expression import BendingExpression, Live
from torchbend.bending.parameter import BendingParameter

__all__ = ["record_arguments", "rebuild", "same", "written"]


def record_arguments(cls: type) -> None:
    """Wraps the ``__init__`` that ``cls`` defines, so that it calls ``self._made_with(arguments)``.

    Only the ``__init__`` of the object's own class reports; those that it calls through
    ``super()`` do not.
    """
    original = cls.__dict__.get("__init__")
    if original is None or not callable(original):
        return
    signature = inspect.signature(original)

    @functools.wraps(original)
    def recording(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if type(self).__init__ is recording:
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            arguments = dict(bound.arguments)
            arguments.pop(next(iter(signature.parameters)))
            self._made_with(arguments)

    cls.__init__ = recording  # type: ignore[misc]


def rebuild(cls: type, arguments: Mapping[str, Any]) -> Any:
    """Makes an object of ``cls`` from recorded arguments.

    Raises:
        TypeError: the arguments are not those of the class.
    """
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    parameters = inspect.signature(cls).parameters
    unknown = set(arguments) - set(parameters)
    if unknown:
        raise TypeError(f"{cls.__name__} has no argument {', '.join(sorted(unknown))}")
    has_rest = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    for name, parameter in parameters.items():
        if name not in arguments:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional.extend(arguments[name])
        elif parameter.kind is parameter.VAR_KEYWORD:
            keywords.update(arguments[name])
        elif parameter.kind is parameter.POSITIONAL_ONLY or (
            has_rest and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ):
            positional.append(arguments[name])
        else:
            keywords[name] = arguments[name]
    return cls(*positional, **keywords)


def same(left: Any, right: Any) -> bool:
    """Whether two arguments describe the same thing.

    Tensors are compared by dtype, shape and content, controls by name, value and range,
    expressions by their operations; the rest by ``==``.
    """
    if left is right:
        return True
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return left.dtype == right.dtype and torch.equal(left.detach().cpu(), right.detach().cpu())
    if isinstance(left, BendingParameter) and isinstance(right, BendingParameter):
        keys = ("name", "type", "value", "range", "weight", "bias", "clamp")
        return all(getattr(left, k) == getattr(right, k) for k in keys)
    if isinstance(left, BendingExpression) and isinstance(right, BendingExpression):
        return left.operation == right.operation and same(left.operands, right.operands)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return list(left) == list(right) and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Tensor | Live) or isinstance(right, Tensor | Live):
        return False
    return type(left) is type(right) and bool(left == right)


def written(value: Any) -> str:
    """``value`` as ``repr`` of a callback shows it: short, whatever its size."""
    if isinstance(value, Tensor):
        return f"tensor{tuple(value.shape)}"
    if isinstance(value, list | tuple) and len(value) > 8:
        shown = ", ".join(map(written, value[:6]))
        return f"[{shown}, ... {len(value)} in all]"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if inspect.isroutine(value):
        return getattr(value, "__name__", repr(value))
    return repr(value)
