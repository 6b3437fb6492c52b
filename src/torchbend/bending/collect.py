"""Collect activations from a running method, and stop it when the last one is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from torchbend.bending.plan import Action
from torchbend.capture import Activation, Address
from torchbend.errors import ReplayError

__all__ = ["Collector", "Stop"]

BEFORE_ALL_BENDS = -1
AFTER_ALL_BENDS = 1 << 60


class Stop(BaseException):
    """Ends the method once everything is collected (no ``except Exception`` of the model stops it)."""

    def __init__(self, collector: Collector) -> None:
        super().__init__()
        self.collector = collector


class Collector:
    """Takes the values of activations as the program makes them.

    Args:
        fn: the method.
        activations: what to collect, by name.
        values: ``"bent"``, ``"original"`` or ``"both"``.
    """

    def __init__(self, fn: str, activations: Mapping[str, Activation], values: str) -> None:
        self._fn, self._activations, self._values = fn, activations, values
        self._kinds = ("original", "bent") if values == "both" else (values,)
        self._found: dict[tuple[str, str], Tensor] = {}
        self._missing = len(activations) * len(self._kinds)

    def restart(self) -> None:
        """Forget what was found: another run begins."""
        self._found = {}
        self._missing = len(self._activations) * len(self._kinds)

    def actions(self) -> list[tuple[str, Address, Action]]:
        """The actions that do the collecting."""
        made = []
        for name, activation in self._activations.items():
            for kind in self._kinds:
                order = BEFORE_ALL_BENDS if kind == "original" else AFTER_ALL_BENDS
                owner = (name, kind)
                if activation.address is not None:
                    made.append(
                        (self._fn, activation.address, Action(order, owner, self._taking(name, kind)))
                    )
        return made

    def _taking(self, name: str, kind: str) -> Callable[[Tensor], Tensor]:
        def take(x: Tensor) -> Tensor:
            if (name, kind) not in self._found:
                self._missing -= 1
                # the program may write into the tensor later, unless it ends here
                self._found[name, kind] = x if self._missing == 0 else x.clone()
                if self._missing == 0:
                    raise Stop(self)
            return x

        return take

    def found(self) -> dict[str, Any]:
        """The values by name: tensors, or pairs (original, bent).

        Raises:
            ReplayError: the program went another way, and an activation did not occur.
        """
        result: dict[str, Any] = {}
        for name in self._activations:
            values = [self._found.get((name, kind)) for kind in self._kinds]
            if any(v is None for v in values):
                raise ReplayError(
                    f"with this input {self._fn}() takes another way, on which {name!r} does not occur",
                    site=f"{self._fn}:{name}",
                    next_step=f"trace {self._fn!r} again with such an input",
                )
            result[name] = tuple(values) if self._values == "both" else values[0]
        return result
