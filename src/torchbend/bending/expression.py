"""Arithmetic on controls: an expression that follows the controls in it.

``2 * c + 1`` is not a number but a small tree; its value is computed when it is asked for, from
the value that ``c`` has then.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import Tensor

from torchbend.errors import ControlError

if TYPE_CHECKING:
    from torchbend.bending.parameter import BendingParameter

__all__ = ["Live", "BendingExpression", "OPERATIONS", "Number", "NUMBERS"]

Number: TypeAlias = bool | int | float | complex
NUMBERS = (bool, int, float, complex)

OPERATIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "add": (operator.add, "{} + {}"),
    "sub": (operator.sub, "{} - {}"),
    "mul": (operator.mul, "{} * {}"),
    "truediv": (operator.truediv, "{} / {}"),
    "floordiv": (operator.floordiv, "{} // {}"),
    "mod": (operator.mod, "{} % {}"),
    "pow": (operator.pow, "{} ** {}"),
    "neg": (operator.neg, "-{}"),
    "abs": (abs, "abs({})"),
}
"""The operations of an expression: name -> (function, how it is written)."""


class Live:
    """Something with a current value: a control, or an expression of controls."""

    # numpy then leaves ``array * control`` to __rmul__ instead of making an array of objects
    __array_ufunc__ = None

    def get_value(self) -> Any:
        """The current value: a number, or a 0-dim tensor while a control is one."""
        raise NotImplementedError

    @property
    def parameters(self) -> tuple[BendingParameter, ...]:
        """The controls that the value depends on, each once, in order of appearance."""
        raise NotImplementedError

    def get_python_value(self) -> Number:
        """The current value as a Python number."""
        value = self.get_value()
        return value.item() if isinstance(value, Tensor) else value

    def __float__(self) -> float:
        return float(self.get_python_value())  # type: ignore[arg-type]

    def __int__(self) -> int:
        return int(self.get_python_value())  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        return bool(self.get_python_value())

    def __complex__(self) -> complex:
        return complex(self.get_python_value())

    def __add__(self, other: Any) -> Any:
        return _combine("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return _combine("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return _combine("sub", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _combine("sub", other, self)

    def __mul__(self, other: Any) -> Any:
        return _combine("mul", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _combine("mul", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _combine("truediv", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _combine("truediv", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _combine("floordiv", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _combine("floordiv", other, self)

    def __mod__(self, other: Any) -> Any:
        return _combine("mod", self, other)

    def __rmod__(self, other: Any) -> Any:
        return _combine("mod", other, self)

    def __pow__(self, other: Any) -> Any:
        return _combine("pow", self, other)

    def __rpow__(self, other: Any) -> Any:
        return _combine("pow", other, self)

    def __neg__(self) -> BendingExpression:
        return BendingExpression("neg", self)

    def __abs__(self) -> BendingExpression:
        return BendingExpression("abs", self)

    def __pos__(self) -> Live:
        return self


def _combine(operation: str, left: Any, right: Any) -> Any:
    """The expression of two operands; with a tensor or an array, its value now."""
    other = right if isinstance(left, Live) else left
    if isinstance(other, Live | bool | int | float | complex):
        return BendingExpression(operation, left, right)
    if isinstance(other, Tensor) or type(other).__module__ == "numpy":
        function = OPERATIONS[operation][0]
        return function(*(v.get_value() if isinstance(v, Live) else v for v in (left, right)))
    return NotImplemented


class BendingExpression(Live):
    """An operation on controls and numbers, computed anew each time that it is read.

    Args:
        operation: a key of ``OPERATIONS``.
        operands: controls, expressions or numbers.

    Raises:
        ControlError: the operation is unknown or an operand is of another type.
    """

    def __init__(self, operation: str, *operands: Live | Number) -> None:
        if operation not in OPERATIONS:
            raise ControlError(
                "an expression of an unknown operation", wanted=", ".join(OPERATIONS), got=operation
            )
        expected = 1 if operation in ("neg", "abs") else 2
        if len(operands) != expected or not all(
            isinstance(o, Live | bool | int | float | complex) for o in operands
        ):
            raise ControlError(
                f"the operands of {operation} do not fit",
                wanted=f"{expected} controls, expressions or numbers",
                got=operands,
            )
        self.operation = operation
        self.operands = operands

    def get_value(self) -> Any:
        """The value for the current values of the controls.

        Raises:
            ControlError: it has none there (a division by zero, an overflow).
        """
        values = [o.get_value() if isinstance(o, Live) else o for o in self.operands]
        try:
            return OPERATIONS[self.operation][0](*values)
        except (ArithmeticError, TypeError) as error:
            raise ControlError(
                f"an expression of controls has no value: {error}",
                site=repr(self),
                got=", ".join(f"{p.name} = {p.get_value()}" for p in self.parameters),
                next_step="give the control a range that keeps the expression defined",
            ) from error

    @property
    def parameters(self) -> tuple[BendingParameter, ...]:
        """The controls that the value depends on, each once, in order of appearance."""
        found: dict[BendingParameter, None] = {}
        for operand in self.operands:
            if isinstance(operand, Live):
                found.update(dict.fromkeys(operand.parameters))
        return tuple(found)

    def __repr__(self) -> str:
        texts = [_written(o) for o in self.operands]
        return OPERATIONS[self.operation][1].format(*texts)


def _written(operand: Live | Number) -> str:
    if isinstance(operand, BendingExpression):
        return f"({operand!r})" if operand.operation != "abs" else repr(operand)
    return str(getattr(operand, "name", operand))
