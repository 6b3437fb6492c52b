"""Controls that move while sound is generated: a curve over its seconds for each."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from torchbend.bending.parameter import BendingParameter
from torchbend.errors import ControlError

__all__ = ["Curve", "Schedule"]

Points: TypeAlias = Sequence[tuple[float, float]]


class Curve:
    """A value over time: straight lines between points, level before the first and after the last.

    Two points at one time make a step.

    Args:
        points: ``(seconds, value)`` in the order of time.

    Raises:
        ControlError: they are no such points.

    Example:
        >>> fade = Curve([(0.0, 1.0), (2.0, 0.0)])
        >>> fade(-1.0), fade(0.5), fade(9.0)
        (1.0, 0.75, 0.0)
    """

    def __init__(self, points: Points) -> None:
        try:
            pairs = [(float(seconds), float(value)) for seconds, value in points]
        except (TypeError, ValueError) as error:
            raise _wrong(points) from error
        ordered = all(a[0] <= b[0] for a, b in zip(pairs, pairs[1:], strict=False))
        if not pairs or not ordered or not all(math.isfinite(n) for pair in pairs for n in pair):
            raise _wrong(points)
        self.points = pairs
        self._times = [seconds for seconds, _ in pairs]

    def __call__(self, seconds: float) -> float:
        """The value at a time."""
        after = bisect_right(self._times, seconds)
        if after == 0:
            return self.points[0][1]
        if after == len(self.points):
            return self.points[-1][1]
        (begin, low), (end, high) = self.points[after - 1 : after + 1]
        return low + (high - low) * (seconds - begin) / (end - begin)

    def __repr__(self) -> str:
        return f"Curve({self.points})"


def _wrong(got: object) -> ControlError:
    return ControlError(
        "a curve is a list of points in the order of time, or a function of seconds",
        site="schedule",
        wanted="[(seconds, value), ...]",
        got=repr(got),
        next_step="schedule={'gain': [(0.0, 1.0), (4.0, 0.2)]}",
    )


class Schedule:
    """The curves of several controls.

    Args:
        curves: for each control, by name or itself, a `Curve`, its points, or a function of seconds.
        known: the controls of the model's bends, by name.

    Raises:
        ControlError: a control is unknown, or a curve is none.
    """

    def __init__(self, curves: Mapping[Any, Any] | None, known: Mapping[str, BendingParameter]) -> None:
        if curves is not None and not isinstance(curves, Mapping):
            raise _wrong(curves)
        self._curves: list[tuple[BendingParameter, Callable[[float], Any]]] = []
        for key, curve in (curves or {}).items():
            control = key if isinstance(key, BendingParameter) else known.get(key)
            if control is None or known.get(control.name) is not control:
                raise ControlError(
                    f"there is no control {key!r} to be moved",
                    site="schedule",
                    wanted=f"one of: {', '.join(known) or 'none, no bend has a control'}",
                    next_step="bend with it first: Scale(BendingParameter('gain', 1.))",
                )
            self._curves.append((control, curve if callable(curve) else Curve(curve)))

    def __len__(self) -> int:
        return len(self._curves)

    @property
    def controls(self) -> list[BendingParameter]:
        """The controls that it moves."""
        return [control for control, _ in self._curves]

    def at(self, seconds: float) -> None:
        """Set the controls to their values at a time.

        Raises:
            ControlError: a value is out of its control's range, or of another type.
        """
        for control, curve in self._curves:
            value = curve(seconds)
            if control.type is int and isinstance(value, float):
                value = round(value)
            if value != control.value:  # setting it computes weights anew
                control.set_value(value)

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Afterwards the controls are what they were."""
        before = [(control, control.value) for control in self.controls]
        try:
            yield
        finally:
            for control, value in before:
                control.set_value(value)
