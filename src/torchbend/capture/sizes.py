"""Numbers that remember the graph node they came from.

A size read from a tensor (``x.shape[0]``, ``x.size(1)``) is a real ``int`` while the program runs, so any
Python code works with it. It also remembers its node, so that ``x.view(n // 2, -1)`` stays symbolic. Where
Python itself decides by it (a comparison, a truth value, ``float()``), the decision is written down as a
flow step.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import fx

    from torchbend.capture.ledger import Ledger

__all__ = ["TracedInt", "TracedFloat", "traced_number", "plain"]


class _Traced:
    """What traced integers and floats share: a recorder and a node made at first use."""

    _recorder: Ledger
    _node: fx.Node | None
    _make: Callable[[], fx.Node]

    @property
    def node(self) -> fx.Node:
        """The graph node of this number; made now if nothing asked for it before."""
        if self._node is None:
            self._node = self._make()
        return self._node


class TracedInt(_Traced, int):
    """An ``int`` that remembers its node."""


class TracedFloat(_Traced, float):
    """A ``float`` that remembers its node."""


def traced_number(recorder: Ledger, value: int | float, make: Callable[[], fx.Node]) -> int | float:
    """``value`` as a number that remembers the node which ``make`` creates at first use."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    number = TracedInt(value) if isinstance(value, int) else TracedFloat(value)
    number._recorder, number._node, number._make = recorder, None, make
    return number


def plain(value: Any) -> Any:
    """The number without its memory."""
    if isinstance(value, TracedInt):
        return int.__int__(value)
    if isinstance(value, TracedFloat):
        return float.__float__(value)
    return value


_ARITHMETIC = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "floordiv": operator.floordiv,
    "truediv": operator.truediv,
    "mod": operator.mod,
    "pow": operator.pow,
}
_UNARY: dict[str, Callable[..., Any]] = {"neg": operator.neg, "pos": operator.pos, "abs": operator.abs}
_ROUNDING: dict[str, Callable[..., Any]] = {"floor": math.floor, "ceil": math.ceil, "trunc": math.trunc}
_COMPARISON = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_CONVERSION: dict[str, Callable[..., Any]] = {
    "int": int,
    "float": float,
    "bool": bool,
    "index": operator.index,
}


def _recording(*numbers: Any) -> Ledger | None:
    """The recorder that is at work, of those that the numbers remember.

    A cache of the program may hold numbers of an earlier capture.
    """
    for number in numbers:
        if isinstance(number, _Traced) and number._recorder.recording:
            return number._recorder
    return None


def _arithmetic(op: Callable[..., Any], reflected: bool) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        if isinstance(other, torch.Tensor):
            return NotImplemented
        args = (other, self) if reflected else (self, other)
        result = op(*(plain(a) for a in args))
        recorder = _recording(self, other)
        if recorder is None:
            return result
        if isinstance(other, (int, float)) and not isinstance(other, bool):
            return recorder.number(op, args, result)
        if isinstance(other, (list, tuple, str)):
            recorder.flow("loop", operator.index, (self,), plain(self))
        return result

    return method


def _single(op: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any) -> Any:
        result = op(plain(self))
        recorder = _recording(self)
        return result if recorder is None else recorder.number(op, (self,), result)

    return method


def _comparison(op: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        if isinstance(other, torch.Tensor):
            return NotImplemented
        result = op(plain(self), plain(other))
        recorder = _recording(self, other)
        if recorder is not None and isinstance(other, (int, float)):
            recorder.flow("branch", op, (self, other), result)
        return result

    return method


def _conversion(op: Callable[..., Any], name: str) -> Callable[..., Any]:
    def method(self: Any) -> Any:
        value = plain(self)
        result = int(value) if name in ("int", "index") else op(value)
        recorder = _recording(self)
        if recorder is not None:
            recorder.flow("branch" if name == "bool" else "value", op, (self,), result)
        return result

    return method


def _install(cls: type) -> None:
    for name, op in _ARITHMETIC.items():
        setattr(cls, f"__{name}__", _arithmetic(op, reflected=False))
        setattr(cls, f"__r{name}__", _arithmetic(op, reflected=True))
    single = {**_UNARY, **_ROUNDING}
    for name, rounding in single.items():
        setattr(cls, f"__{name}__", _single(rounding))
    for name, comparison in _COMPARISON.items():
        setattr(cls, f"__{name}__", _comparison(comparison))
    for name, conversion in _CONVERSION.items():
        if hasattr(cls.__mro__[2], f"__{name}__"):
            setattr(cls, f"__{name}__", _conversion(conversion, name))
    base: Any = cls.__mro__[2]
    setattr(cls, "__hash__", base.__hash__)  # noqa: B010  like the others: a copy is a plain number
    setattr(cls, "__reduce__", lambda self: (base, (plain(self),)))  # noqa: B010
    setattr(cls, "__deepcopy__", lambda self, memo: plain(self))  # noqa: B010


_install(TracedInt)
_install(TracedFloat)
