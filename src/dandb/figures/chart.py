"""A figure as data: what is drawn is said here, once, and drawn by plotly or by matplotlib."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from torch import Tensor

from dandb.figures.theme import Theme

__all__ = [
    "GUIDE",
    "Array",
    "Chart",
    "Curve",
    "Dots",
    "HeatMap",
    "Mark",
    "Panel",
    "Picture",
    "Player",
    "Words",
]

Array: TypeAlias = np.ndarray
"""Numbers, on the CPU."""

GUIDE = -1
"""The colour number of lines that only guide the eye: zero lines and frames."""


@dataclass(frozen=True)
class Curve:
    """A line; where ``y`` is NaN there is a gap.

    Attributes:
        name: what it is called where the mouse points, and in the legend.
        x, y: its points, of one length.
        colour: number in the theme's colours, or `GUIDE`.
        width: in pixels.
        dots: its points are drawn too.
        listed: it has a line in the legend.
        details, hover: numbers beside each point ``[points, k]``, and the words that show them; without these
            the values themselves are shown.
    """

    name: str
    x: Array
    y: Array
    colour: int = 0
    width: float = 1.4
    dots: bool = False
    listed: bool = False
    details: Array | None = None
    hover: str = ""


@dataclass(frozen=True)
class HeatMap:
    """Numbers as colours; NaN is left blank.

    Attributes:
        name: what a number is, as ``"level in dB"``: written beside the colour bar.
        z: ``[rows, columns]``, the first row at ``y[0]``.
        x, y: where the first cell begins and the last one ends.
        limits: the values of the first and of the last colour.
        signed: values go both ways from 0, which is in the middle of the colours.
        hover: words where the mouse points, with ``%{x}``, ``%{y}`` and ``%{z}``.
        bar: a colour bar is drawn.
    """

    name: str
    z: Array
    x: tuple[float, float]
    y: tuple[float, float]
    limits: tuple[float, float]
    signed: bool = False
    hover: str = "%{z:.4g}"
    bar: bool = True


@dataclass(frozen=True)
class Picture:
    """A picture as it is: ``[height, width, 3]``, uint8, the top row first; a pixel is 1 wide and 1 high."""

    name: str
    pixels: Array


@dataclass(frozen=True)
class Dots:
    """Places.

    Attributes:
        name: of the group, in the legend.
        x, y: of one length.
        names: of each place, or none.
        colour: number in the theme's colours, and of the form.
        values: a number for each place that chooses its colour instead.
        listed: it has a line in the legend.
    """

    name: str
    x: Array
    y: Array
    names: tuple[str, ...] = ()
    colour: int = 0
    values: Array | None = None
    listed: bool = False


@dataclass(frozen=True)
class Words:
    """Short texts at places ``(x, y)``; they begin there, or are centred there."""

    places: tuple[tuple[float, float, str], ...]
    centred: bool = False


Mark: TypeAlias = Curve | HeatMap | Picture | Dots | Words


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        marks: what is drawn in it, from back to front.
        title: above it.
        x_label, y_label: of the axes, with the unit.
        side: a short text at its right.
        x_limits, y_limits: ends of the axes; a first that is larger turns the axis round.
        y_ticks: places and words on the vertical axis; ``None``: numbers.
        axes: axes and grid are drawn.
        square: a step across is as long as a step up.
    """

    marks: tuple[Mark, ...]
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    side: str = ""
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    y_ticks: tuple[tuple[float, str], ...] | None = None
    axes: bool = True
    square: bool = False


@dataclass(frozen=True)
class Player:
    """A sound below the figure.

    Attributes:
        name: of the sound.
        sound: ``[C, T]``, float32, finite, on the CPU; what lies beyond [-1, 1] is clipped.
        sample_rate: in Hz.
        note: what was done to it for the player.
    """

    name: str
    sound: Tensor
    sample_rate: int
    note: str = ""


@dataclass(frozen=True)
class Chart:
    """A figure.

    Attributes:
        title: above all.
        subtitle: one or two sentences below it.
        description: the figure in words, for those who do not see it.
        rows: panels in rows from top to bottom; all rows are of one length, ``None`` leaves a place empty.
        heights: of the rows, in pixels.
        theme: colours.
        share_x: all rows have one horizontal axis, written below the last.
        players: sounds below the figure.
    """

    title: str
    subtitle: str
    description: str
    rows: tuple[tuple[Panel | None, ...], ...]
    heights: tuple[float, ...]
    theme: Theme
    share_x: bool = False
    players: tuple[Player, ...] = field(default=())

    def panels(self) -> list[tuple[int, int, Panel]]:
        """Row, column and panel of all places that are not empty."""
        return [
            (i, j, panel)
            for i, row in enumerate(self.rows)
            for j, panel in enumerate(row)
            if panel is not None
        ]

    def marks(self) -> list[Mark]:
        """What all panels hold."""
        return [mark for _, _, panel in self.panels() for mark in panel.marks]
