"""Several processes that learn one thing from different parts of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

__all__ = ["ALONE", "Together"]


def _own(tensor: Tensor) -> Tensor:
    """The tensor: a process that is alone has the sum."""
    return tensor


@dataclass(frozen=True)
class Together:
    """The processes, seen from one of them; by default it is alone.

    Attributes:
        place: of this process, from 0.
        count: of processes.
        sum: adds a tensor up over all processes, which must call it in the same order and with the same
            shapes; all get the same sum.
    """

    place: int = 0
    count: int = 1
    sum: Callable[[Tensor], Tensor] = _own


ALONE = Together()
"""One process."""
