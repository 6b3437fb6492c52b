"""Controls: named values with a range, turned while the model runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torchbend.bending.expression import BendingExpression, Live, Number
from torchbend.errors import ControlError

__all__ = ["BendingParameter", "BendingExpression", "BendingParamType", "Live", "State", "frozen"]

State = tuple[int, Any]
"""(revision, value): the revision changes with each setting."""

_frozen: ContextVar[Mapping[BendingParameter, State] | None] = ContextVar("torchbend_frozen", default=None)

_TYPES: tuple[type, ...] = (float, int, bool, complex)


class _ByType(type):
    def __getitem__(cls, item: str | type) -> int:
        names = [t.__name__ for t in _TYPES]
        name = item.lower() if isinstance(item, str) else getattr(item, "__name__", repr(item))
        if name not in names:
            raise ControlError("a control of an unknown type", wanted=", ".join(names), got=item)
        return names.index(name) + 1


class BendingParamType(metaclass=_ByType):
    """Codes of a control's type: ``BendingParamType["float"]``, ``BendingParamType[float]``."""

    FLOAT = 1
    INT = 2
    BOOL = 3
    COMPLEX = 4


class BendingParameter(Live):
    """A control: a value of one type, with a name and a range, shared by any number of callbacks.

    Arithmetic (``2 * c + 1``, ``1 - c``, ``-c``, ``c / 2``, ``c % 3``, ``c ** 2``) gives an
    expression that follows the control. Two controls are equal only if they are the same one.

    Args:
        name: what the control is called (``bended.update(name, value)``).
        value: the first value; its type (float, int, bool or complex) is the control's for good.
        weight: factor between the value that is set and the value that callbacks read.
        bias: offset added after ``weight``.
        range: (lowest, highest) of the values that can be set, either may be None.
        clamp: True: a value out of range is brought to the nearest end instead of refused.

    Raises:
        ControlError: name, value or range are of a wrong type, or the value is out of range.

    Example:
        >>> import torch, torchbend as tb
        >>> amount = tb.BendingParameter("amount", 0.5, range=(0.0, 1.0))
        >>> bend = tb.Scale(1 - amount)
        >>> bend(torch.ones(1)).item()
        0.5
        >>> amount.set_value(1.0)
        >>> bend(torch.ones(1)).item()
        0.0
    """

    def __init__(
        self,
        name: str,
        value: Number,
        weight: float | None = None,
        bias: float | None = None,
        range: Sequence[float | None] = (None, None),
        clamp: bool | None = None,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ControlError("a control needs a name", wanted="a text that is not empty", got=repr(name))
        value = _number(name, value)
        self._name = name
        self.type: type = type(value)
        self.weight = None if weight is None else _real(name, "weight", weight)
        self.bias = None if bias is None else _real(name, "bias", bias)
        self.range = _checked_range(name, range, self.type)
        self.clamp = bool(clamp)
        self._revisions = itertools.count(1)
        self._state: State = (0, self._accepted(value))

    @property
    def name(self) -> str:
        """The control's name."""
        return self._name

    @property
    def param_type(self) -> int:
        """The code of the control's type (see ``BendingParamType``)."""
        return BendingParamType[self.type]

    @property
    def parameters(self) -> tuple[BendingParameter, ...]:
        """The control itself: the only one that its value depends on."""
        return (self,)

    @property
    def state(self) -> State:
        """(revision, value as set); inside ``frozen`` the frozen one."""
        states = _frozen.get()
        if states is not None:
            state = states.get(self)
            if state is not None:
                return state
        return self._state

    @property
    def value(self) -> Any:
        """The value as it was set, before ``weight`` and ``bias``."""
        return self.state[1]

    def get_value(self) -> Any:
        """The current value, ``weight`` and ``bias`` applied; inside ``frozen`` the frozen one."""
        value = self.state[1]
        if self.weight is not None:
            value = value * self.weight
        return value if self.bias is None else value + self.bias

    def set_value(self, value: Number) -> None:
        """Sets the control; never blocks, and callers in mid-call keep the value that they began with.

        Args:
            value: a number of the control's type; an int control takes 2.0 but not 0.5.

        Raises:
            ControlError: the type does not fit, or the value is out of range and ``clamp`` is off.
        """
        accepted = self._accepted(_number(self.name, value))
        self._state = (next(self._revisions), accepted)

    def _accepted(self, value: Number) -> Number:
        converted = _converted(self.name, self.type, value)
        low, high = self.range
        if isinstance(converted, complex):
            return converted
        below, above = low is not None and converted < low, high is not None and converted > high
        if not below and not above:
            return converted
        if self.clamp:
            return self.type(low if below else high)  # type: ignore[no-any-return]
        raise ControlError(
            f"the control {self.name!r} was set out of its range",
            site=self.name,
            wanted=f"a value in {_written_range(self.range)}",
            got=value,
            next_step="set a value in the range, or make the control with clamp=True",
        )

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_revisions"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._revisions = itertools.count(self._state[0] + 1)

    def __repr__(self) -> str:
        text = f"BendingParameter({self.name!r}, {self.state[1]!r}"
        for key in ("weight", "bias"):
            if getattr(self, key) is not None:
                text += f", {key}={getattr(self, key)}"
        if self.range != (None, None):
            text += f", range={_written_range(self.range)}"
        return text + (", clamp=True)" if self.clamp else ")")


@contextmanager
def frozen(states: Mapping[BendingParameter, State]) -> Iterator[None]:
    """Within it, in this thread, the given controls answer with the given states.

    Nested uses add up; the inner one wins for what it names. ``parameter.state`` answers with
    the frozen state too, so that a call inside a call keeps the outer one's values.
    """
    outer = _frozen.get()
    token = _frozen.set(states if outer is None else {**outer, **states})
    try:
        yield
    finally:
        _frozen.reset(token)


def _number(name: str, value: Any) -> Number:
    """``value`` as a plain Python number; numpy scalars and one-element tensors are read."""
    plain = value.item() if hasattr(value, "item") and _single(value) else value
    if not isinstance(plain, bool | int | float | complex):
        raise ControlError(
            f"the control {name!r} holds a number",
            site=name,
            wanted="a float, int, bool or complex number",
            got=f"{value!r} ({type(value).__name__})",
        )
    if plain != plain:
        raise ControlError(
            f"the control {name!r} cannot be 'not a number'", site=name, wanted="a number", got=value
        )
    for kind in (bool, int, float):  # numpy's float64 is a subclass of float: keep the plain type
        if isinstance(plain, kind):
            return kind(plain)
    return complex(plain)


def _single(value: Any) -> bool:
    count = value.numel() if hasattr(value, "numel") else getattr(value, "size", 0)
    return bool(count == 1)


def _converted(name: str, kind: type, value: Number) -> Number:
    if type(value) is kind:
        return value
    try:
        converted = None if isinstance(value, complex) else kind(value)
    except (OverflowError, ValueError):  # an infinite int, an int too large for a float
        converted = None
    if converted is None or (kind in (int, bool) and converted != value):
        raise ControlError(
            f"the control {name!r} is of type {kind.__name__}",
            site=name,
            wanted=f"a value of type {kind.__name__}",
            got=f"{value!r} ({type(value).__name__})",
            next_step="make the control with a first value of the type that you mean (0.0 for float)",
        )
    return converted  # type: ignore[no-any-return]


def _real(name: str, key: str, value: Any) -> float:
    plain = _number(name, value)
    if isinstance(plain, complex):
        raise ControlError(
            f"the {key} of the control {name!r} is not real", site=name, wanted="a float", got=value
        )
    return plain


def _checked_range(name: str, given: Any, kind: type) -> tuple[float | None, float | None]:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
        raise ControlError(
            f"the range of {name!r} is not a pair", site=name, wanted="(lowest, highest)", got=given
        )
    low, high = (None if v is None else _real(name, "range", v) for v in given)
    if kind is complex and (low is not None or high is not None):
        raise ControlError(
            f"the complex control {name!r} cannot have a range", site=name, wanted="no range", got=given
        )
    if low is not None and high is not None and low > high:
        raise ControlError(
            f"the range of {name!r} is empty", site=name, wanted="lowest <= highest", got=given
        )
    if kind is int and any(v is not None and math.isfinite(v) and v != int(v) for v in (low, high)):
        raise ControlError(
            f"the range of the int control {name!r} ends between integers",
            site=name,
            wanted="whole numbers",
            got=given,
        )
    return low, high


def _written_range(given: tuple[float | None, float | None]) -> str:
    return f"({given[0]}, {given[1]})"
