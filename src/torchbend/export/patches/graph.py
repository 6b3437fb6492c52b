"""A patch as boxes and cords, before it is text for one host or the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Box", "Cord", "Host", "Kind", "Patch"]

Host = Literal["pd", "max"]
Kind = Literal["object", "message", "number", "slider", "toggle", "bang", "comment", "patch"]


@dataclass(frozen=True)
class Box:
    """One box.

    Attributes:
        kind: of box; ``"patch"`` is a patch inside of the patch.
        text: what is written in it.
        x, y: its place, in pixels from the upper left corner.
        inlets: how many.
        outlets: one letter for each: ``~`` for a signal, ``.`` for messages.
        low, high: the range of numbers and sliders; None leaves an end open.
        inside: what a box of the kind ``"patch"`` holds.
    """

    kind: Kind
    text: str
    x: int
    y: int
    inlets: int = 1
    outlets: str = "."
    low: float | None = None
    high: float | None = None
    inside: Patch | None = None


@dataclass(frozen=True)
class Cord:
    """From an outlet to an inlet, both counted from 0; boxes by their place in the patch."""

    source: int
    outlet: int
    target: int
    inlet: int


@dataclass
class Patch:
    """Boxes and cords.

    Attributes:
        name: of the patch.
        boxes: in order.
        cords: between them.
    """

    name: str
    boxes: list[Box] = field(default_factory=list)
    cords: list[Cord] = field(default_factory=list)

    def add(self, box: Box) -> int:
        """Puts a box into the patch, and tells its number."""
        self.boxes.append(box)
        return len(self.boxes) - 1

    def object(self, text: str, x: int, y: int, inlets: int = 1, outlets: str = ".") -> int:
        """Adds an object."""
        return self.add(Box("object", text, x, y, inlets, outlets))

    def message(self, text: str, x: int, y: int) -> int:
        """Adds a message."""
        return self.add(Box("message", text, x, y, 1, "."))

    def comment(self, text: str, x: int, y: int) -> int:
        """Adds a comment."""
        return self.add(Box("comment", text, x, y, 0, ""))

    def join(self, source: int, target: int, outlet: int = 0, inlet: int = 0) -> None:
        """Draws a cord."""
        self.cords.append(Cord(source, outlet, target, inlet))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a window that shows all boxes."""
        right = max((box.x + 7 * len(box.text) for box in self.boxes), default=0)
        below = max((box.y for box in self.boxes), default=0)
        return min(1200, max(400, right + 40)), min(900, max(200, below + 60))
