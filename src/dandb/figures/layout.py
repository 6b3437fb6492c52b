"""Where each panel of a figure is, the same for both ways to draw it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from dandb.figures.chart import Chart, Curve, Dots, HeatMap

__all__ = ["WIDTH", "Layout", "layout_of", "subtitle_lines"]

WIDTH = 1000
"""Pixels across that a figure is laid out for; in a notebook it takes the width that there is."""

_LETTERS = 135
"""Most letters of a line of a subtitle."""


@dataclass(frozen=True)
class Layout:
    """Places of panels.

    Attributes:
        height: of the whole figure, in pixels.
        left, right, top, bottom: margins around all panels, in pixels.
        across: for each column where it begins and ends, as a fraction of the room inside the margins.
        up: the same for each row, from the bottom up.
    """

    height: float
    left: float
    right: float
    top: float
    bottom: float
    across: tuple[tuple[float, float], ...]
    up: tuple[tuple[float, float], ...]


def layout_of(chart: Chart) -> Layout:
    """Margins that leave room for what is written, and the rows' heights as wanted."""
    columns = len(chart.rows[0])
    gaps = [_gap(chart, row) for row in range(len(chart.rows) - 1)]
    inside = sum(chart.heights) + sum(gaps)
    top = 46 + 17 * len(subtitle_lines(chart)) + (24 if _has_titles(chart, 0) else 0)
    bottom = _below(chart, len(chart.rows) - 1) + 8
    up, at = [], inside
    for row, height in enumerate(chart.heights):
        up.append((max(0.0, (at - height) / inside), at / inside))
        at -= height + (gaps[row] if row < len(gaps) else 0)
    left, right = _left(chart), _right(chart, columns - 1)
    room = WIDTH - left - right
    inner = max((_right(chart, column) for column in range(columns - 1)), default=0.0)
    between = (left + inner - 16) / room if columns > 1 else 0.0
    wide = (1 - between * (columns - 1)) / columns
    across = tuple((j * (wide + between), j * (wide + between) + wide) for j in range(columns))
    return Layout(top + inside + bottom, left, right, top, bottom, across, tuple(up))


def subtitle_lines(chart: Chart) -> list[str]:
    """The subtitle in lines that fit."""
    return textwrap.wrap(chart.subtitle, _LETTERS)


def _has_titles(chart: Chart, row: int) -> bool:
    return any(panel is not None and panel.title for panel in chart.rows[row])


def _below(chart: Chart, row: int) -> float:
    """Pixels that the horizontal axes of a row write in."""
    panels = [panel for panel in chart.rows[row] if panel is not None and panel.axes]
    if not panels or (chart.share_x and row < len(chart.rows) - 1):
        return 0
    return 44 if any(panel.x_label for panel in panels) else 24


def _gap(chart: Chart, row: int) -> float:
    below = _below(chart, row)
    return 8 + below + (26 if _has_titles(chart, row + 1) else 0)


def _left(chart: Chart) -> float:
    panels = [panel for _, _, panel in chart.panels()]
    if not any(panel.axes for panel in panels):
        return 16
    return 74 if any(panel.y_label for panel in panels) else 56


def _right(chart: Chart, column: int) -> float:
    """Room at the right of a column for colour bars, names of rows, and the legend."""
    room = 24.0
    for _, place, panel in chart.panels():
        if place != column:
            continue
        if panel.side:
            room = max(room, 16 + 7.5 * len(panel.side))
        for mark in panel.marks:
            if isinstance(mark, HeatMap) and mark.bar:
                room = max(room, 96)
            if isinstance(mark, Dots) and mark.values is not None:
                room = max(room, 96)
            if isinstance(mark, Curve | Dots) and mark.listed:
                room = max(room, min(260, 62 + 7 * len(mark.name)))
    return room
