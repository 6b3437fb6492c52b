"""Tell ``a * b`` from ``a.mul(b)``, and ``2 * x`` from ``x * 2``.

With a function mode on, operators reach it as plain methods: ``2 * x`` arrives as ``mul(x, 2)``. For the
time of a capture the operator methods of ``torch.Tensor`` therefore leave a note of what was written.
Outside the recording thread they only pass through.
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

__all__ = ["op_key", "is_in_place", "written_operators", "seen_ranges", "seen_scripts"]

_BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split()
_KEYWORD = {"and": operator.and_, "or": operator.or_}
_ONE_WAY = {
    "neg": operator.neg,
    "pos": operator.pos,
    "invert": operator.invert,
    "abs": operator.abs,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def _operators() -> Iterator[tuple[str, Callable[..., Any], bool]]:
    for name in _BINARY:
        op = _KEYWORD.get(name) or getattr(operator, name)
        yield f"__{name}__", op, False
        yield f"__r{name}__", op, True
        yield f"__i{name}__", getattr(operator, f"i{name}"), False
    for name, op in _ONE_WAY.items():
        yield f"__{name}__", op, False


def op_key(func: Callable[..., Any]) -> str:
    """The name under which calls of ``func`` are counted; the property's name for a property."""
    name: str = getattr(func, "__name__", "") or type(func).__name__
    if name in ("__get__", "__set__", "__delete__"):
        owner = getattr(func, "__self__", None)
        return f"{getattr(owner, '__name__', '')}.{name}"
    return name


_IN_PLACE_DUNDERS = frozenset(["__setitem__"] + [f"__i{name}__" for name in _BINARY])


def is_in_place(key: str, kwargs: dict[str, Any]) -> bool:
    """Whether the operation called ``key`` writes into its first argument (or into ``out=``)."""
    if key in _IN_PLACE_DUNDERS or key.endswith(".__set__"):
        return True
    if kwargs.get("out") is not None or kwargs.get("inplace") is True:
        return True
    return key.endswith("_") and not key.endswith("__")


def _noting(original: Callable[..., Any], op: Callable[..., Any], reflected: bool, recorder: Recorder) -> Any:
    thread = threading.get_ident()

    def method(self: Any, *others: Any) -> Any:
        if threading.get_ident() != thread or not recorder.recording:
            return original(self, *others)
        recorder.written = (op, (*others, self) if reflected else (self, *others))
        try:
            return original(self, *others)
        finally:
            recorder.written = None

    return method


@contextmanager
def written_operators(recorder: Recorder) -> Iterator[None]:
    """While active, operators on tensors leave what was written in ``recorder.written``."""
    own = dict(vars(torch.Tensor))
    changed = []
    try:
        for name, op, reflected in _operators():
            original = getattr(torch.Tensor, name, None)
            if original is not None:
                setattr(torch.Tensor, name, _noting(original, op, reflected, recorder))
                changed.append(name)
        yield
    finally:
        for name in changed:
            if name in own:
                setattr(torch.Tensor, name, own[name])
            else:
                delattr(torch.Tensor, name)


@contextmanager
def seen_ranges(recorder: Recorder) -> Iterator[None]:
    """While active, ``range`` of a traced size is written down: the number of turns is then a flow step."""
    real = builtins.range
    thread = threading.get_ident()

    class _Meta(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real)

    class _Range(metaclass=_Meta):
        def __new__(cls, *args: Any) -> Any:
            if threading.get_ident() == thread and recorder.recording:
                for arg in args:
                    if isinstance(arg, TracedInt):
                        recorder.flow("loop", operator.index, (arg,), plain(arg))
            return real(*(plain(a) for a in args))

    builtins.range = _Range  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        builtins.range = real  # type: ignore[misc]


@contextmanager
def seen_scripts(recorder: Recorder) -> Iterator[None]:
    """While active, calls of scripted functions, which no function mode sees, are shown to the recorder."""
    kind: Any = torch._C.ScriptFunction
    original = kind.__call__
    thread = threading.get_ident()

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != thread or not recorder.recording:
            return original(self, *args, **kwargs)
        return recorder.scripted(self, args, kwargs)

    kind.__call__ = call
    try:
        yield
    finally:
        kind.__call__ = original
