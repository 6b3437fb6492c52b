"""What an entry of the zoo is: a model, and inputs on which it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

RANDOM = "random"
STATEFUL = "stateful"

Inputs = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Entry:
    """One architecture, small enough to build and run in a fraction of a second.

    Args:
        name: unique in the zoo; it becomes the test's name.
        family: what kind of model it is ("language", "vision", "speech", "audio", "diffusion", ...).
        build: seeds torch with 0 and returns a new model, in eval mode unless train mode is the point.
        inputs: the keyword arguments of `method`, the same values at each call.
        other_inputs: another length, size or batch on which the model also runs; None where there is none.
        method: the method that is called.
        note: words about the entry. "random": the output depends on torch's random state, which has to be
            seeded before each call. "stateful": a call changes buffers, to be put back before the next.
    """

    name: str
    family: str
    build: Callable[[], nn.Module]
    inputs: Inputs
    other_inputs: Inputs | None = None
    method: str = "forward"
    note: str = ""

    @property
    def random(self) -> bool:
        """Whether the output depends on torch's random state."""
        return RANDOM in self.note

    @property
    def stateful(self) -> bool:
        """Whether a call changes the model's buffers."""
        return STATEFUL in self.note
