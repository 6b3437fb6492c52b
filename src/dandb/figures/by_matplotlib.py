"""Draw a chart by matplotlib, for files; no screen is needed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from dandb.figures.chart import Chart, Curve, Dots, HeatMap, Mark, Panel, Picture, Words
from dandb.figures.layout import WIDTH, Layout, layout_of, subtitle_lines
from dandb.figures.theme import Theme
from torchbend.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = ["file_bytes", "matplotlib_figure"]

_STYLE: dict[str, Any] = {
    "solid": "-",
    "dash": (0, (5, 2)),
    "dot": (0, (1.2, 1.4)),
    "dashdot": (0, (6, 2, 1, 2)),
}
_FORMS = ("o", "s", "D", "P", "X", "^", "*", "p")
_POINT = 0.72
"""Points in a pixel: a figure is laid out at 100 pixels an inch."""


def matplotlib_figure(chart: Chart) -> Figure:
    """The chart as a ``matplotlib.figure.Figure`` of 10 inches across, at 100 pixels an inch.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.of("matplotlib", "workshop", "a figure in a file") from error
    with rc_context({"text.parse_math": False}):  # names are names: "$5 and $6" is no formula
        return _drawn(chart, Figure)


def _drawn(chart: Chart, kind: type[Figure]) -> Figure:
    layout, look = layout_of(chart), chart.theme.look
    figure = kind(figsize=(WIDTH / 100, layout.height / 100), dpi=100, facecolor=look.paper)
    for row, column, panel in chart.panels():
        place = _place(layout, row, column)
        axes = figure.add_axes(place)
        _dress(axes, panel, chart.theme, chart.heights[row], chart.share_x and row < len(chart.rows) - 1)
        for depth, mark in enumerate(panel.marks, start=2):
            drawn = _draw(axes, mark, chart.theme, depth)
            if drawn is not None:
                _bar(figure, drawn, mark, chart.theme, place)
        _limit(axes, panel)
        _list(axes, panel, chart.theme)
    high, left = layout.height, 16 / WIDTH
    words: dict[str, Any] = {"ha": "left", "va": "top"}
    figure.text(left, 1 - 14 / high, chart.title, fontsize=12, weight="bold", color=look.ink, **words)
    lines = "\n".join(subtitle_lines(chart))
    figure.text(left, 1 - 37 / high, lines, fontsize=8.5, color=look.soft, linespacing=1.35, **words)
    return figure


def file_bytes(chart: Chart, kind: str, scale: float) -> bytes:
    """The chart as the content of a file.

    Args:
        chart: the chart.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
        scale: pixels of a PNG for each of the 1000 that a figure is laid out for.
    """
    content = io.BytesIO()
    figure = matplotlib_figure(chart)
    words = {
        "png": {"Title": chart.title, "Description": chart.description},
        "svg": {"Title": chart.title, "Description": chart.description},
        "pdf": {"Title": chart.title, "Subject": chart.description},
    }[kind]
    figure.savefig(content, format=kind, dpi=100 * scale, facecolor=figure.get_facecolor(), metadata=words)
    return content.getvalue()


def _place(layout: Layout, row: int, column: int) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of a panel, as fractions of the figure."""
    room, rise = WIDTH - layout.left - layout.right, layout.height - layout.top - layout.bottom
    across, up = layout.across[column], layout.up[row]
    return (
        (layout.left + across[0] * room) / WIDTH,
        (layout.bottom + up[0] * rise) / layout.height,
        (across[1] - across[0]) * room / WIDTH,
        (up[1] - up[0]) * rise / layout.height,
    )


def _dress(axes: Axes, panel: Panel, theme: Theme, height: float, hides_x: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    look = theme.look
    axes.set_facecolor(look.paper)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(colors=look.soft, labelsize=8, length=0, which="both", labelbottom=not hides_x)
    if panel.title:
        axes.annotate(
            panel.title, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", va="bottom",
            fontsize=9.5, color=look.ink, annotation_clip=False,
        )  # fmt: skip
    if panel.side:
        axes.annotate(
            panel.side, (1, 0.5), (4, 0), xycoords="axes fraction", textcoords="offset points", va="center",
            fontsize=8, color=look.soft, annotation_clip=False,
        )  # fmt: skip
    if not panel.axes:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    if not any(isinstance(mark, HeatMap | Picture) for mark in panel.marks):
        axes.grid(True, color=look.grid, linewidth=0.7, zorder=0)
    axes.set_axisbelow(True)
    if not hides_x:
        axes.set_xlabel(panel.x_label, color=look.ink, fontsize=9)
    axes.set_ylabel(panel.y_label, color=look.ink, fontsize=9)
    if panel.y_ticks is None:
        axes.yaxis.set_major_locator(MaxNLocator(max(2, round(height / 40))))
    else:
        axes.set_yticks([place for place, _ in panel.y_ticks], [word for _, word in panel.y_ticks])


def _limit(axes: Axes, panel: Panel) -> None:
    """The ends of the axes, which drawing moves."""
    if panel.x_limits:
        axes.set_xlim(*panel.x_limits)
    if panel.y_limits:
        axes.set_ylim(*panel.y_limits)
    if panel.square:
        axes.set_aspect("equal", adjustable="box", anchor="NW")


def _draw(axes: Axes, mark: Mark, theme: Theme, depth: int) -> Any:
    """Draw one mark; gives what a colour bar belongs to, or ``None``."""
    if isinstance(mark, Curve):
        colour, style = theme.line(mark.colour)
        axes.plot(
            mark.x, mark.y, color=colour, linestyle=_STYLE[style], linewidth=mark.width * _POINT,
            zorder=depth, marker="o" if mark.dots else None, markersize=2.4, solid_joinstyle="round",
            label=mark.name,
        )  # fmt: skip
    elif isinstance(mark, HeatMap):
        return _heat_map(axes, mark, theme, depth)
    elif isinstance(mark, Dots):
        return _dots(axes, mark, theme, depth)
    elif isinstance(mark, Picture):
        high, wide = mark.pixels.shape[:2]
        axes.imshow(
            mark.pixels, extent=(0, wide, high, 0), interpolation="nearest", zorder=depth, aspect="auto"
        )
    else:
        _words(axes, mark, theme, depth)
    return None


def _heat_map(axes: Axes, mark: HeatMap, theme: Theme, depth: int) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    colours: Colormap = LinearSegmentedColormap.from_list("levels", theme.scale(mark.signed))
    colours = colours.with_extremes(bad=(0, 0, 0, 0))
    picture = axes.imshow(
        np.ma.masked_invalid(mark.z), cmap=colours, vmin=mark.limits[0], vmax=mark.limits[1], aspect="auto",
        origin="lower", extent=(*mark.x, *mark.y), interpolation="nearest", zorder=depth,
    )  # fmt: skip
    return picture if mark.bar else None


def _dots(axes: Axes, mark: Dots, theme: Theme, depth: int) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    shared: dict[str, Any] = {"s": 26, "alpha": 0.85, "linewidths": 0.5, "edgecolors": theme.look.paper}
    shared |= {"zorder": depth, "label": mark.name, "marker": _FORMS[mark.colour % len(_FORMS)]}
    if mark.values is None:
        axes.scatter(mark.x, mark.y, color=theme.line(mark.colour)[0], **shared)
        return None
    colours = LinearSegmentedColormap.from_list("levels", theme.dots())
    return axes.scatter(mark.x, mark.y, c=mark.values, cmap=colours, **shared)


def _words(axes: Axes, mark: Words, theme: Theme, depth: int) -> None:
    for x, y, text in mark.places:
        axes.text(
            x, y, text, fontsize=7.2, color=theme.look.soft, va="center", zorder=depth,
            ha="center" if mark.centred else "left", clip_on=False,
        )  # fmt: skip


def _bar(
    figure: Figure, drawn: Any, mark: Mark, theme: Theme, place: tuple[float, float, float, float]
) -> None:
    """A colour bar at the right of a panel, as high as it."""
    left, bottom, wide, high = place
    room = figure.add_axes((left + wide + 8 / WIDTH, bottom, 12 / WIDTH, high))
    bar = figure.colorbar(drawn, cax=room)
    bar.outline.set_visible(False)
    room.tick_params(colors=theme.look.soft, labelsize=7.5, length=0)
    room.set_ylabel(mark.name if isinstance(mark, HeatMap | Dots) else "", color=theme.look.ink, fontsize=8)


def _list(axes: Axes, panel: Panel, theme: Theme) -> None:
    """The legend at the right of a panel."""
    from matplotlib.collections import Collection
    from matplotlib.lines import Line2D

    names = {mark.name for mark in panel.marks if isinstance(mark, Curve | Dots) and mark.listed}
    # By hand: matplotlib's own list leaves out names that begin with "_", as those of activations do.
    drawn = [artist for artist in axes.get_children() if isinstance(artist, Line2D | Collection)]
    drawn.sort(key=lambda artist: artist.get_zorder())
    kept = {str(artist.get_label()): artist for artist in drawn if artist.get_label() in names}
    if kept:
        axes.legend(
            list(kept.values()), list(kept), loc="upper left", bbox_to_anchor=(1.005, 1.02), frameon=False,
            fontsize=8, labelcolor=theme.look.ink, handlelength=1.8, labelspacing=0.35, borderpad=0.2,
        )  # fmt: skip
