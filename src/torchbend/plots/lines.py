"""Figures of lines as data: what is drawn is said here, and drawn by `lines_figure` or `lines_page`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from torchbend.errors import TorchbendError

__all__ = ["Line", "Look", "Panel", "look", "names_in_order", "thinned"]

STYLES = ("solid", "dash", "dot", "dashdot")
"""In which lines of one colour differ."""


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        name: what it is called in the legend; lines of one name look alike in all panels.
        x, y: its points, of one length, ``x`` rising (`lines_svg` draws lines that turn back too); where
            ``y`` is NaN there is a gap.
        marks: places on it to be marked, by ``x``.
        behind: a rougher version, ``x`` and ``y``, that is drawn faintly behind it.
        dots: draw its points too.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    marks: tuple[float, ...] = ()
    behind: tuple[np.ndarray, np.ndarray] | None = None
    dots: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if self.x.ndim != 1 or self.x.shape != self.y.shape or not len(self.x):
            raise TorchbendError(
                "this is no line",
                site=self.name,
                wanted="x and y of one length, one point at least",
                got=f"{list(self.x.shape)} and {list(self.y.shape)}",
            )

    def at(self, x: float) -> float:
        """Its value at a place, between points too."""
        return float(np.interp(x, self.x, self.y))


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: above it.
        x_label, y_label: of the axes, with the unit.
        lines: what is in it.
        mark_label: what the marks of lines mean; empty where there are none.
        log_y: a logarithmic axis, where all values are above 0 and the largest is twice the least or more.
    """

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line] = field(default=())
    mark_label: str = ""
    log_y: bool = False

    @property
    def is_log(self) -> bool:
        """Whether the vertical axis is logarithmic."""
        low, high = self.limits
        return self.log_y and 0 < 2 * low <= high

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest value that is drawn; 0 and 1 where there is none."""
        values = [line.y[np.isfinite(line.y)] for line in self.lines]
        flat = np.concatenate(values) if values else np.zeros(0)
        return (float(flat.min()), float(flat.max())) if len(flat) else (0.0, 1.0)


@dataclass(frozen=True)
class Look:
    """Colours of a figure.

    Attributes:
        paper, ink, soft, grid: of the ground, of text, of less important text, of the grid.
        colours: of lines; the colour-blind tell them apart.
    """

    paper: str
    ink: str
    soft: str
    grid: str
    colours: tuple[str, ...]

    def of(self, number: int) -> tuple[str, str]:
        """Colour and style of a line, by its number from 0."""
        count = len(self.colours)
        return self.colours[number % count], STYLES[number // count % len(STYLES)]


# Colours of Okabe and Ito (2008), without the yellow on white and the darker ones on black.
_LIGHT = Look(
    "#ffffff", "#1d2130", "#5d6475", "#e4e4e4", ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#111111")
)
_DARK = Look(
    "#12141c", "#e8e6df", "#9ea5b5", "#2b303e", ("#56B4E9", "#E69F00", "#2BC79A", "#F0A3CB", "#F0E442")
)


def look(dark: bool = False) -> Look:
    """The colours of a figure on white, or on a dark ground."""
    return _DARK if dark else _LIGHT


def names_in_order(panels: Sequence[Panel]) -> list[str]:
    """The names of all lines, each once: a line's number in it chooses its colour."""
    return list(dict.fromkeys(line.name for panel in panels for line in panel.lines))


def thinned(x: np.ndarray, y: np.ndarray, most: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """A line of fewer points that looks alike: the least and the largest value of each piece are kept.

    Args:
        x, y: one length.
        most: points, 4 or more; shorter lines stay as they are.

    >>> x, y = thinned(np.arange(10_000.0), np.eye(1, 10_000, 5_000)[0], 100)
    >>> len(x) <= 100, float(y.max())
    (True, 1.0)
    """
    if len(x) <= most:
        return x, y
    kept = {0, len(x) - 1}
    pieces = max(most // 2 - 1, 1)
    for piece in range(pieces):
        start = math.floor(piece * len(x) / pieces)
        values = y[start : math.floor((piece + 1) * len(x) / pieces)]
        kept |= {start + int(np.argmin(values)), start + int(np.argmax(values))}
    places = sorted(kept)
    return x[places], y[places]
