"""Parameters of a callback that may be controls."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from torchbend.bending.arguments import written
from torchbend.bending.expression import Live
from torchbend.errors import CallbackError

__all__ = ["Controllable"]


class Controllable(nn.Module):
    """A module with parameters that are numbers, controls or expressions of controls.

    Attributes:
        revision: changes each time that such a parameter, or the seed, is set by hand.
    """

    revision: int = 0

    def __init__(self) -> None:
        super().__init__()
        self._controllable_names: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "seed" or name in self.__dict__.get("_controllable_names", ()):
            self.__dict__["revision"] = self.revision + 1

    def register_controllable(
        self,
        name: str,
        value: Any,
        *,
        low: float | None = None,
        high: float | None = None,
        optional: bool = False,
    ) -> None:
        """Keeps ``value`` as attribute ``name``; it may be a number, a control or an expression.

        Args:
            name: of the parameter.
            value: a number, a 0-dim tensor, a BendingParameter or an expression.
            low: lowest value allowed now (a control may be turned beyond it later).
            high: highest value allowed now.
            optional: whether None is allowed.

        Raises:
            CallbackError: the value is of another type or out of bounds.
        """
        if not (optional and value is None):
            self._check_number(name, value, low, high)
        setattr(self, name, value)
        if name not in self._controllable_names:
            self._controllable_names += (name,)

    def _check_number(self, name: str, value: Any, low: float | None, high: float | None) -> None:
        if not isinstance(value, Live | bool | int | float | complex) and not (
            isinstance(value, Tensor) and value.dim() == 0
        ):
            raise self.wrong(name, "a number, a BendingParameter or an expression of them", value)
        if low is None and high is None:
            return
        number = value.get_python_value() if isinstance(value, Live) else value
        inside = not isinstance(number, complex) and (
            (low is None or bool(number >= low)) and (high is None or bool(number <= high))
        )
        if not inside:
            wanted = "a real number"
            if low is not None and low > -math.inf:
                wanted += f" of at least {low}"
            if high is not None:
                wanted += f" and at most {high}"
            raise self.wrong(name, wanted, value)

    def get(self, name: str) -> Any:
        """The current value of a parameter that may be a control: a number, or a 0-dim tensor.

        Raises:
            CallbackError: the callback has no such parameter.
        """
        try:
            value = getattr(self, name)
        except AttributeError as error:
            raise CallbackError(
                f"{type(self).__name__} has no parameter {name!r}",
                wanted=", ".join(self._controllable_names) or "a registered parameter",
                got=name,
                next_step=f"call self.register_controllable({name!r}, value) in __init__",
            ) from error
        return value.get_value() if isinstance(value, Live) else value

    def wrong(self, argument: str, wanted: str, got: Any, next_step: str | None = None) -> CallbackError:
        """The error for a wrong argument of this callback."""
        return CallbackError(
            f"{type(self).__name__} got a wrong {argument}",
            site=f"{type(self).__name__}({argument}=...)",
            wanted=wanted,
            got=f"{written(got)} ({type(got).__name__})",
            next_step=next_step or f"give another {argument}=",
        )
