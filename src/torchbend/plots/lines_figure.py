"""Panels of lines as a picture, by matplotlib; no screen is needed."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from torchbend.errors import MissingExtraError, TorchbendError
from torchbend.plots.lines import Line, Look, Panel, look, names_in_order, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_lines", "picture_bytes"]

_STYLE: dict[str, Any] = {
    "solid": "-",
    "dash": (0, (5, 2)),
    "dot": (0, (1.2, 1.4)),
    "dashdot": (0, (6, 2, 1, 2)),
}
_NUMBERED_FROM = 4
"""From so many lines on, each has its number at its end and in the legend."""


def draw_lines(panels: Sequence[Panel], title: str = "", dark: bool = False, width: float = 10.0) -> Figure:
    """Panels below one another, with one legend at their right.

    Args:
        panels: at least one.
        title: above all.
        dark: on a dark ground.
        width: in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
        TorchbendError: there is nothing to draw.
    """
    if not any(panel.lines for panel in panels):
        raise TorchbendError("there is nothing to draw", site="panels", wanted="a line at least")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.of("matplotlib", "plots", "a figure") from error
    shades, names = look(dark), names_in_order(panels)
    figure = Figure(figsize=(width, 0.6 + 3.9 * len(panels)), layout="constrained", facecolor=shades.paper)
    alike = len({panel.x_label for panel in panels}) == 1
    column = figure.subplots(len(panels), 1, squeeze=False, sharex=alike)[:, 0]
    for axes, panel in zip(column, panels, strict=True):
        _draw(axes, panel, names, shades)
    _legend(figure, panels, names, shades)
    if len(names) >= _NUMBERED_FROM:
        figure.canvas.draw()  # only now are the axes where they will be
        for axes, panel in zip(column, panels, strict=True):
            _number_ends(axes, panel.lines, names, shades)
    if title:
        figure.suptitle(title, fontsize=13, color=shades.ink, x=0.01, ha="left")
    return figure


def picture_bytes(figure: Figure, kind: str = "png") -> bytes:
    """A figure as the content of a file.

    Args:
        figure: of `draw_lines`.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=160, facecolor=figure.get_facecolor())
    return content.getvalue()


def _draw(axes: Axes, panel: Panel, names: Sequence[str], shades: Look) -> None:
    _frame(axes, panel, shades)
    shared, size = _shared_mark(panel.lines), 7 if len(names) < _NUMBERED_FROM else 5
    for line in panel.lines:
        colour, style = shades.of(names.index(line.name))
        if line.behind is not None:
            axes.plot(*thinned(*line.behind), color=colour, alpha=0.25, linewidth=0.8, zorder=1)
        x, y = thinned(line.x, line.y)
        dots = "o" if line.dots or len(x) == 1 else None
        axes.plot(
            x, y, color=colour, linestyle=_STYLE[style], linewidth=1.7, marker=dots, markersize=3.5, zorder=3
        )
        if shared is None:
            for mark in line.marks:
                axes.plot(
                    [mark], [line.at(mark)], "D", markersize=size, color=colour, markerfacecolor=shades.paper,
                    markeredgewidth=1.6, zorder=5,
                )  # fmt: skip
    if shared is not None:
        axes.axvline(shared, color=shades.soft, linestyle=(0, (2, 2)), linewidth=1.2, zorder=2)
        axes.annotate(
            panel.mark_label, (shared, 1), (5, -4), xycoords=("data", "axes fraction"),
            textcoords="offset points", va="top", fontsize=9, color=shades.soft,
        )  # fmt: skip


def _shared_mark(lines: Sequence[Line]) -> float | None:
    """The place where all lines are marked, if it is one and the same."""
    places = {mark for line in lines for mark in line.marks}
    return places.pop() if len(places) == 1 and all(line.marks for line in lines) else None


def _frame(axes: Axes, panel: Panel, shades: Look) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_facecolor(shades.paper)
    axes.set_title(panel.title, fontsize=11, loc="left", color=shades.ink)
    axes.set_xlabel(panel.x_label, color=shades.soft, fontsize=10)
    axes.set_ylabel(panel.y_label, color=shades.soft, fontsize=10)
    axes.grid(True, color=shades.grid, linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(colors=shades.soft, labelsize=9, length=0, which="both", labelbottom=True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(shades.soft)
    plain = FuncFormatter(lambda value, _: in_short(value))
    axes.xaxis.set_major_formatter(plain)
    if panel.is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(plain)


def in_short(value: float) -> str:
    """A number on an axis.

    >>> [in_short(v) for v in (0, 0.25, 1500, 2_500_000, 3e6)]
    ['0', '0.25', '1.5k', '2.5M', '3M']
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.6g}{letter}"
    return f"{value:.6g}"


def _number_ends(axes: Axes, lines: Sequence[Line], names: Sequence[str], shades: Look) -> None:
    """The number of each line behind its end; those that would lie on one another are moved apart."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground=shades.paper)]
    points = axes.transData.transform([(line.x[-1], line.y[-1]) for line in lines])
    places = _apart(points, 13.0 * axes.figure.dpi / 100)
    for line, point, place in zip(lines, points, places, strict=True):
        number = names.index(line.name)
        up = (place - point[1]) * 72 / axes.figure.dpi
        axes.annotate(
            str(number + 1), (line.x[-1], line.y[-1]), (7, up), textcoords="offset points", fontsize=8.5,
            color=shades.of(number)[0], fontweight="bold", va="center", annotation_clip=False, zorder=6,
            path_effects=halo,
        )  # fmt: skip


def _apart(points: np.ndarray, least: float) -> list[float]:
    """Heights for labels, so that neighbours keep a distance; points far from each other do not mind."""
    places = [float(y) for y in points[:, 1]]
    for _ in range(100):
        moved = False
        for one in range(len(points)):
            for other in range(one):
                gap = places[one] - places[other]
                if abs(points[one, 0] - points[other, 0]) < 2 * least and abs(gap) < least - 0.01:
                    push = (least - abs(gap)) / 2
                    up = gap > 0 or (gap == 0 and one > other)
                    places[one] += push if up else -push
                    places[other] -= push if up else -push
                    moved = True
        if not moved:
            break
    return places


def _legend(figure: Figure, panels: Sequence[Panel], names: Sequence[str], shades: Look) -> None:
    from matplotlib.lines import Line2D

    numbered = len(names) >= _NUMBERED_FROM
    entries: list[Any] = []
    for number, name in enumerate(names):
        colour, style = shades.of(number)
        label = f"{number + 1}  {name}" if numbered else name
        entries.append(Line2D([], [], color=colour, linestyle=_STYLE[style], linewidth=2, label=label))
    marked = [p for p in panels if any(line.marks for line in p.lines) and _shared_mark(p.lines) is None]
    if marked:
        entries.append(
            Line2D(
                [],
                [],
                linestyle="",
                marker="D",
                markersize=6,
                color=shades.soft,
                markerfacecolor=shades.paper,
                markeredgewidth=1.5,
                label=marked[0].mark_label,
            )  # fmt: skip
        )
    if len(entries) > 1:
        rows = math.ceil(len(entries) / 30)
        figure.legend(
            handles=entries, loc="outside right upper", frameon=False, fontsize=9, labelcolor=shades.ink,
            ncols=rows, handlelength=2.6,
        )  # fmt: skip
