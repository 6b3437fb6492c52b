"""What stands for the objects of a pickle that is read without running it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Named", "Persistent", "Record"]


@dataclass(frozen=True)
class Named:
    """A class or function that a pickle names, as ``module.name``; it is never looked up."""

    name: str

    @property
    def short_name(self) -> str:
        """Its name without its modules."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Persistent:
    """Something that lies outside of the pickle, under this mark."""

    mark: Any


@dataclass(eq=False)
class Record:
    """An object that the program of a pickle would make, not made.

    Attributes:
        name: of what would be called.
        args: what it would be called with.
        items: what would be set in it by key.
        values: what would be appended to it.
        state: what its attributes would be set from; None where they would not be.
    """

    name: str
    args: tuple[Any, ...] = ()
    items: dict[Any, Any] = field(default_factory=dict)
    values: list[Any] = field(default_factory=list)
    state: Any = None
