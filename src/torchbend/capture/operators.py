"""See what no function mode sees: which operator was written, the bounds of a ``range``, scripted functions.

With a function mode on, ``2 * x`` arrives as ``mul(x, 2)``. For the time of a capture, ``torch.Tensor``'s
reflected methods therefore leave a note. Like the other two, this changes something global for a moment, and
only passes through in every thread but the recording one.
"""

from __future__ import annotations

import builtins
import operator
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from torchbend.capture.sizes import TracedInt, plain

if TYPE_CHECKING:
    from torchbend.capture.recorder import Recorder

__all__ = ["op_key", "is_in_place", "WRITTEN", "OPERATORS", "WRAPPED", "unseen_seen", "hidden_from_outer"]


# What arrives only when an operator was written: the operator, and whether the operands come reversed.
WRITTEN: dict[str, tuple[Callable[..., Any], bool]] = {
    "__rsub__": (operator.sub, True),
    "__rdiv__": (operator.truediv, True),
    "__rtruediv__": (operator.truediv, True),
    "__floordiv__": (operator.floordiv, False),
    "__rfloordiv__": (operator.floordiv, True),
    "__rmod__": (operator.mod, True),
    "__pow__": (operator.pow, False),
    "__rpow__": (operator.pow, True),
    "__rmatmul__": (operator.matmul, True),
    "__rlshift__": (operator.lshift, True),
    "__rrshift__": (operator.rshift, True),
    "__neg__": (operator.neg, False),
    "__pos__": (operator.pos, False),
    "__abs__": (operator.abs, False),
    "__invert__": (operator.invert, False),
    "__ipow__": (operator.ipow, False),
    "__itruediv__": (operator.itruediv, False),
    "__ifloordiv__": (operator.ifloordiv, False),
    "__imod__": (operator.imod, False),
}

# What may have been written as an operator, or called by name: the instruction tells.
OPERATORS = frozenset(
    [
        "add", "sub", "mul", "div", "true_divide", "floor_divide", "remainder", "pow", "matmul", "neg",
        "positive",
        "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "add_", "sub_", "mul_", "div_",
        "floor_divide_", "remainder_", "pow_", "matmul_", "bitwise_and_", "bitwise_or_", "bitwise_xor_",
        "gt", "lt", "ge", "le", "eq", "ne", "__eq__", "__ne__", "__and__", "__or__", "__xor__", "__lshift__",
        "__rshift__", "__iand__", "__ior__", "__ixor__", "__ilshift__", "__irshift__",
    ]
)  # fmt: skip

# What goes through a Python function of torch's own, called by the operator alone but named like the method.
WRAPPED: dict[Any, Callable[..., Any]] = {
    torch.Tensor.__pow__: operator.pow,
    torch.Tensor.__ipow__: operator.ipow,
}


def op_key(func: Callable[..., Any]) -> str:
    """The name under which calls of ``func`` are counted; the property's name for a property."""
    name: str = getattr(func, "__name__", "") or type(func).__name__
    if name in ("__get__", "__set__", "__delete__"):
        owner = getattr(func, "__self__", None)
        return f"{getattr(owner, '__name__', '')}.{name}"
    return name


_IN_PLACE_DUNDERS = frozenset(
    f"__{name}__"
    for name in (
        "setitem",
        "iadd",
        "isub",
        "imul",
        "itruediv",
        "ifloordiv",
        "imod",
        "ipow",
        "imatmul",
        "iand",
        "ior",
        "ixor",
        "ilshift",
        "irshift",
    )
)


def is_in_place(key: str, kwargs: dict[str, Any]) -> bool:
    """Whether the operation called ``key`` writes into its first argument (or into ``out=``)."""
    if key in _IN_PLACE_DUNDERS or key.endswith(".__set__"):
        return True
    if kwargs and (kwargs.get("out") is not None or kwargs.get("inplace") is True):
        return True
    return key.endswith("_") and not key.endswith("__")


class _Recording:
    """The recorder at work, and its thread. There is one at a time: captures take turns."""

    recorder: Recorder | None = None
    thread = 0

    def here(self) -> Recorder | None:
        """The recorder, if what happens now, in this thread, is being recorded."""
        recorder = self.recorder
        if recorder is None or threading.get_ident() != self.thread or not recorder.recording:
            return None
        return recorder


_NOW = _Recording()
_range = builtins.range
_scripted_call = torch._C.ScriptFunction.__call__


class _RangeType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _range)


class _SeenRange(metaclass=_RangeType):
    """Stands for ``range``: the bounds of a loop over a traced size are a flow step."""

    def __new__(cls, *args: Any) -> Any:
        recorder = _NOW.here()
        for arg in args if recorder is not None else ():
            if recorder is not None and isinstance(arg, TracedInt):
                recorder.flow("loop", operator.index, (arg,), plain(arg))
        return _range(*(plain(a) for a in args))


def _reflected(name: str) -> Callable[[Any, Any], Any]:
    original = getattr(torch.Tensor, name)

    def method(self: Any, other: Any) -> Any:
        recorder = _NOW.here()
        if recorder is None:
            return original(self, other)
        recorder.reflected = True
        try:
            return original(self, other)
        finally:
            recorder.reflected = False

    return method


_REFLECTED = {name: _reflected(name) for name in ("__radd__", "__rmul__")}


def _seen_script(self: Any, *args: Any, **kwargs: Any) -> Any:
    recorder = _NOW.here()
    if recorder is None:
        return _scripted_call(self, *args, **kwargs)
    return recorder.scripted(self, args, kwargs)


@contextmanager
def unseen_seen(recorder: Recorder) -> Iterator[None]:
    """While active, operators written in reverse, ranges and scripted functions are shown to ``recorder``."""
    before = _NOW.recorder, _NOW.thread
    _NOW.recorder, _NOW.thread = recorder, threading.get_ident()
    try:
        for name, method in _REFLECTED.items():
            setattr(torch.Tensor, name, method)
        torch._C.ScriptFunction.__call__ = _seen_script  # type: ignore[method-assign]
        builtins.range = _SeenRange  # type: ignore[misc]
        yield
    finally:
        _NOW.recorder, _NOW.thread = before
        if _NOW.recorder is None:  # a capture inside of a capture leaves them to the outer one
            builtins.range = _range  # type: ignore[misc]
            torch._C.ScriptFunction.__call__ = _scripted_call  # type: ignore[method-assign]
            for name in _REFLECTED:
                delattr(torch.Tensor, name)


@contextmanager
def hidden_from_outer() -> Iterator[None]:
    """While active, a capture in whose program this one is made records nothing."""
    outer = _NOW.here()
    if outer is not None:
        outer.hidden += 1
    try:
        yield
    finally:
        if outer is not None:
            outer.hidden -= 1
