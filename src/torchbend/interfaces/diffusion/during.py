"""A bend that holds in some of the denoising steps only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.wrapping import Wrapper
from torchbend.bending.site_state import SiteState

__all__ = ["DuringSteps", "gates"]

Place = int | float | None


class DuringSteps(Wrapper):
    """A callback that holds from one denoising step to another: what ``bend(..., steps=(begin, end))`` makes.

    Numbers with a decimal point are shares of all steps, 0.0 to 1.0; whole numbers count steps from 0. The
    step at ``begin`` belongs to the range, the one at ``end`` does not: ranges that follow each other cover
    each step once. Outside of a generation there are no steps: the bend holds.

    Args:
        callback: any callback.
        begin: None: from the first step on.
        end: None: to the last step.

    Raises:
        CallbackError: these are no such numbers, or they are out of order.

    Example:
        >>> import torchbend as tb
        >>> early = DuringSteps(tb.Scale(2.0), 0.0, 0.5)
        >>> [early.holds(step, 4) for step in range(4)]
        [True, True, False, False]
    """

    def __init__(self, callback: BendingCallback, begin: Place = None, end: Place = None) -> None:
        super().__init__(callback)
        self.changes_shape = callback.changes_shape
        self.jit_compatible = self.nntilde_compatible = False
        for name, value in (("begin", begin), ("end", end)):
            if value is not None and not _is_place(value):
                raise self.wrong(
                    name, "a share of the steps (0.0 to 1.0), a number of a step, or None", value
                )
        shares = isinstance(begin, float) or isinstance(end, float)
        low, high = begin or 0, math.inf if end is None else end
        if shares and (low > 1 or (end is not None and high > 1)):
            raise self.wrong(
                "range",
                "shares from 0.0 to 1.0, or two whole numbers of steps",
                (begin, end),
                next_step="steps=(0.2, 0.6), or steps=(4, 12)",
            )
        if low >= high:
            raise self.wrong("range", "a begin below the end", (begin, end), next_step="steps=(0.2, 0.6)")
        self.begin, self.end = begin, end
        self._shares = shares
        self._open = True

    def holds(self, step: int, total: int) -> bool:
        """Whether the bend holds in a step, of so many in all."""
        at = step / total if self._shares else step
        # a step's share is rounded, and so is what somebody wrote down for it
        slack = 1e-9 if self._shares else 0
        after = self.begin is None or at >= self.begin - slack
        return after and (self.end is None or at < self.end - slack)

    def at(self, step: int, total: int) -> None:
        """Open or shut for a step."""
        self._set(self.holds(step, total))

    def rest(self) -> None:
        """There are no steps (any more): the bend holds."""
        self._set(True)

    def _set(self, opened: bool) -> None:
        if opened != self._open:
            self._open = opened
            self.__dict__["revision"] = self.revision + 1  # bent weights are computed anew

    def _call_bend(self, x: Tensor, site: SiteState, extra: Mapping[str, Any]) -> Any:
        if not self._open:
            return x
        source = x.clone() if self.callback.writes_in_place else x
        return self.callback.apply(source, site.child("during"), extra)


def gates(callback: BendingCallback) -> list[DuringSteps]:
    """The ranges of steps in a callback, however deep."""
    return [member for member in callback.family() if isinstance(member, DuringSteps)]


def _is_place(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value >= 0 and math.isfinite(value)
