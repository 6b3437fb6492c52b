"""An activation over time: a row for each channel, or a heat map of very many."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dandb.figures.chart import GUIDE, Array, Chart, Curve, HeatMap, Panel
from dandb.figures.figure import Figure, finished
from dandb.figures.reduce import line_points, strongest
from dandb.figures.theme import theme_of
from dandb.figures.values import blanked, joined, limits_of, numbers, wrong_shape
from torchbend.errors import SiteNotFoundError, TorchbendError

__all__ = [
    "MOST_ROWS",
    "channels_of",
    "chosen_channels",
    "colours_of",
    "heat_map_of",
    "padded",
    "plot_1d_activation",
    "ticks_every",
]

MOST_ROWS = 32
"""Channels that are drawn as rows of lines; more are drawn as a heat map."""

_COLUMNS, _MAP_ROWS = 500, 1024


def plot_1d_activation(
    name: str,
    x: object,
    display: bool | None = None,
    channel_idx: int | Sequence[int] | None = None,
    height: float | None = None,
    *,
    theme: str | None = None,
) -> Figure:
    """An activation over time.

    Up to 32 channels are rows of lines, all on one scale; more are drawn as a heat map, which the title
    says. Long activations are thinned so that peaks survive.

    Args:
        name: of the activation, the figure's title.
        x: the activation ``[T]``, ``[C, T]`` or ``[B, C, T]``, of which the first of the batch is drawn.
        display: ``True`` draws at once, ``None`` at the end of the cell at the latest, ``False`` not until
            asked for; see `Figure`.
        channel_idx: the channels to draw. As many numbers as ``x`` has channels are taken for the numbers
            that these channels have in the model, as after ``x[:, channel_idx]``. ``None`` draws all.
        height: of the whole figure, in pixels.
        theme: ``"light"``, ``"dark"``, or ``None`` for that of plotly in this session.

    Returns:
        The figure, with a ``show()`` and a ``save(path)``.

    Raises:
        ShapeError: the shape is another.
        SiteNotFoundError: there is no channel of a number.
        TorchbendError: no numbers, no height, or an unknown theme.

    Example:
        >>> figure = plot_1d_activation("sin", [[0.0, 1.0], [2.0, 3.0]], display=False, channel_idx=1)
        >>> figure.description
        'Activation of 1 channel over 2 steps, from 2 to 3. Channels: 1.'
    """
    values, batch = channels_of(x, "x")
    values, labels = chosen_channels(values, channel_idx, name)
    values, told = blanked(values)
    low, high = limits_of(values)
    if height is not None and not 80 <= height <= 20000:
        raise TorchbendError("no height of a figure", site="height", wanted="80 to 20000 pixels", got=height)
    count, steps = values.shape
    is_map = count > MOST_ROWS
    facts = f"Activation of {count:,} channel{'s' if count > 1 else ''} over {steps:,} steps, "
    facts += f"from {low:.4g} to {high:.4g}."
    first = f"The first of {batch} in the batch." if batch > 1 else ""
    rows: tuple[Panel, ...]
    heights: tuple[float, ...]
    if is_map:
        rows, heights = (_heat_panel(values, labels),), (float(min(700, max(240, count * 3))),)
        how = "Each row is a channel; of the steps in a cell the value that is furthest from 0."
    else:
        rows, heights = _line_panels(values, labels, (low, high)), (_row_height(count),) * count
        how = "All rows are on one scale." if count > 1 else ""
    chart = Chart(
        title=f"{name} (heat map of {count:,} channels)" if is_map else name,
        subtitle=joined(facts, how, first, told),
        description=joined(facts, first, told, _listed(labels)),
        rows=tuple((panel,) for panel in rows),
        heights=heights if height is None else _stretched(heights, height),
        theme=theme_of(theme),
        share_x=True,
    )
    return finished(chart, display)


def channels_of(x: object, site: str) -> tuple[Array, int]:
    """``[C, T]`` of an activation, and how many there were in its batch.

    Raises:
        ShapeError: another shape than ``[T]``, ``[C, T]`` or ``[B, C, T]``.
    """
    values = numbers(x, site)
    wanted = "[T], [channels, T] or [batch, channels, T]"
    if values.ndim == 4:
        raise wrong_shape(site, wanted, values.shape, "for pictures: plot_image_activations(name, x)")
    if not 1 <= values.ndim <= 3:
        raise wrong_shape(site, wanted, values.shape)
    if values.ndim == 3:
        return values[0], len(values)
    return np.atleast_2d(values), 1


def heat_map_of(values: Array, x: tuple[float, float], hover: str, name: str = "value") -> HeatMap:
    """Channels over time as colours: around 0 where values go both ways.

    Args:
        values: ``[C, T]``; the first channel is drawn at the bottom of an axis that rises.
        x: where time begins and ends.
        hover: words where the mouse points.
        name: what a value is.
    """
    small = strongest(values, _MAP_ROWS, _COLUMNS).astype(np.float32)
    limits, signed, name = colours_of(small, name)
    return HeatMap(name, small, x, (-0.5, len(values) - 0.5), limits, signed=signed, hover=hover)


def colours_of(values: Array, name: str) -> tuple[tuple[float, float], bool, str]:
    """Ends of the colours, whether 0 is in their middle, and the words beside the colour bar.

    A few values far out do not take the colours from all others; the words say where the colours end.
    """
    low, high = limits_of(values)
    if not low < 0 < high:
        return (low, high if high > low else low + 1), False, name
    top = max(-low, high)
    usual = float(np.nanquantile(np.abs(values), 0.998))
    if not 0 < usual < top / 1.5:
        return (-top, top), True, name
    return (-usual, usual), True, f"{name} (beyond {usual:.3g}: last colour)"


def ticks_every(count: int) -> int:
    """How many rows of a heat map lie between two that are numbered: a power of 2.

    >>> [ticks_every(count) for count in (9, 128, 1024)]
    [1, 16, 128]
    """
    return int(2 ** max(0, round(math.log2(count / 8))))


def padded(low: float, high: float) -> tuple[float, float]:
    """Ends of an axis with some room around the values.

    >>> padded(2, 2)
    (1.5, 2.5)
    """
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room


def chosen_channels(values: Array, wanted: int | Sequence[int] | None, name: str) -> tuple[Array, list[int]]:
    """The channels that are drawn, and their numbers.

    Args:
        values: ``[C, ...]``.
        wanted: as ``channel_idx`` of `plot_1d_activation`.
        name: of the activation.

    Raises:
        SiteNotFoundError: there is no channel of a number.
    """
    if wanted is None:
        return values, list(range(len(values)))
    numbers_ = [int(number) for number in np.atleast_1d(numbers(wanted, "channel_idx"))]
    if len(numbers_) == len(values) and len(values) > 1:
        return values, numbers_
    missing = [number for number in numbers_ if not 0 <= number < len(values)]
    if missing and len(numbers_) == len(values):
        return values, numbers_
    if missing:
        raise SiteNotFoundError(
            f"{name} has no channel {missing[0]}",
            site="channel_idx",
            wanted=f"numbers from 0 to {len(values) - 1}, or as many numbers as there are channels",
            got=str(numbers_[:20]),
        )
    return values[numbers_], numbers_


def _line_panels(values: Array, labels: list[int], limits: tuple[float, float]) -> tuple[Panel, ...]:
    steps = np.arange(values.shape[1])
    ends = (0.0, float(max(1, values.shape[1] - 1)))
    panels = []
    for row, label in zip(values, labels, strict=True):
        x, y = line_points(steps, row)
        curve = Curve(f"channel {label}", x, y, width=1.2, dots=len(x) <= 16, hover="step %{x}: %{y:.4~g}")
        zero = Curve("0", np.array(ends), np.zeros(2), GUIDE) if limits[0] < 0 < limits[1] else None
        marks = (curve,) if zero is None else (zero, curve)
        panels.append(
            Panel(marks, side=f"ch {label}", x_label="step", x_limits=ends, y_limits=padded(*limits))
        )
    return tuple(panels)


def _heat_panel(values: Array, labels: list[int]) -> Panel:
    count, steps = values.shape
    picture = heat_map_of(values, (-0.5, steps - 0.5), "row %{y:.0f}, step %{x:.0f}: %{z:.4~g}")
    ticks = tuple((float(row), str(labels[row])) for row in range(0, count, ticks_every(count)))
    return Panel(
        (picture,), y_label="channel", x_label="step", y_ticks=ticks, x_limits=(-0.5, steps - 0.5),
        y_limits=(count - 0.5, -0.5),
    )  # fmt: skip


def _row_height(count: int) -> float:
    return 220.0 if count == 1 else max(34.0, min(110.0, 560 / count))


def _stretched(heights: tuple[float, ...], wanted: float) -> tuple[float, ...]:
    """Heights of rows that make a figure about as high as wanted; the words around keep their room."""
    around = 130 + 8 * (len(heights) - 1)
    factor = max(20.0 * len(heights), wanted - around) / sum(heights)
    return tuple(height * factor for height in heights)


def _listed(labels: list[int]) -> str:
    shown = ", ".join(map(str, labels[:16]))
    return f"Channels: {shown}{' and others' if len(labels) > 16 else ''}."
