"""Activations of a convolution over pictures: a tile for each channel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dandb.figures.activation import chosen_channels, colours_of
from dandb.figures.chart import Array, Chart, HeatMap, Panel, Words
from dandb.figures.figure import Figure, finished
from dandb.figures.reduce import strongest
from dandb.figures.theme import theme_of
from dandb.figures.values import blanked, joined, limits_of, numbers, wrong_shape

__all__ = ["plot_image_activations"]

_FINEST = 800
"""Cells across of all tiles; with more, each cell shows the value of its pixels that is furthest from 0."""

_NAMED = 128
"""With more channels their numbers are left out."""


def plot_image_activations(
    name: str,
    x: object,
    display: bool | None = None,
    channel_idx: int | Sequence[int] | None = None,
    *,
    same_scale: bool = True,
    theme: str | None = None,
) -> Figure:
    """An activation of a model of pictures: a tile for each channel.

    Args:
        name: of the activation, the figure's title.
        x: the activation ``[C, H, W]`` or ``[B, C, H, W]``, of which the first of the batch is drawn;
            ``[H, W]`` is one channel.
        display: ``True`` draws at once, ``None`` at the end of the cell at the latest, ``False`` not until
            asked for; see `Figure`.
        channel_idx: the channels to draw, as for `plot_1d_activation`.
        same_scale: all tiles have one scale of colours; otherwise each is divided by its value furthest
            from 0.
        theme: ``"light"``, ``"dark"``, or ``None`` for that of plotly in this session.

    Returns:
        The figure.

    Raises:
        ShapeError: the shape is another.
        SiteNotFoundError: there is no channel of a number.
        TorchbendError: no numbers, or an unknown theme.

    Example:
        >>> plot_image_activations("conv2d", [[[0.0, 1.0], [2.0, 3.0]]], display=False).description
        'Activation of 1 channel of 2 x 2, from 0 to 3.'
    """
    values = numbers(x, "x")
    if not 2 <= values.ndim <= 4:
        step = "over time: plot_1d_activation(name, x)" if values.ndim == 1 else None
        raise wrong_shape("x", "[H, W], [channels, H, W] or [batch, channels, H, W]", values.shape, step)
    batch = len(values) if values.ndim == 4 else 1
    values = values[0] if values.ndim == 4 else values.reshape(-1, *values.shape[-2:])
    values, labels = chosen_channels(values, channel_idx, name)
    values, told = blanked(values)
    count, high, wide = values.shape
    low, top = limits_of(values)
    plural = "s" if count > 1 else ""
    facts = f"Activation of {count:,} channel{plural} of {wide} x {high}, from {low:.4g} to {top:.4g}."
    first = f"The first of {batch} in the batch." if batch > 1 else ""
    how = "" if same_scale or count == 1 else "Each tile is divided by its value furthest from 0."
    if how:
        peaks = np.nanmax(np.abs(values), (1, 2), keepdims=True, initial=0.0)
        values = values / np.where(peaks > 0, peaks, 1)
    panel, ratio = _tiles(values, labels)
    chart = Chart(
        title=name,
        subtitle=joined(facts, how, first, told),
        description=joined(facts, first, told),
        rows=((panel,),),
        heights=(min(900.0, _room(count) * ratio),),
        theme=theme_of(theme),
    )
    return finished(chart, display)


def _room(count: int) -> float:
    """Pixels across of all tiles: few are not blown up."""
    return min(880.0, 220.0 * _columns(count))


def _columns(count: int) -> int:
    return min(count, max(4, math.ceil(math.sqrt(count * 1.6))))


def _tiles(values: Array, labels: list[int]) -> tuple[Panel, float]:
    """All tiles as one heat map with gaps between, and its height divided by its width."""
    count = len(values)
    columns = _columns(count)
    most = max(1, _FINEST // columns)
    tiles = np.stack([strongest(tile, most, most) for tile in values])
    high, wide = tiles.shape[1:]
    gap = max(1, round(0.05 * wide))
    head = max(1, round(18 * wide * columns / _room(count))) if count <= _NAMED else 0
    rows = math.ceil(count / columns)
    whole = np.full((rows * (high + gap + head) - gap, columns * (wide + gap) - gap), np.nan, np.float32)
    places = []
    for number, label in enumerate(labels):
        row, column = divmod(number, columns)
        top, left = row * (high + gap + head) + head, column * (wide + gap)
        whole[top : top + high, left : left + wide] = tiles[number]
        places.append((left + 0.0, top - head / 2, str(label)))
    limits, signed, unit = colours_of(tiles, "value")
    ends = (0.0, float(whole.shape[1])), (0.0, float(whole.shape[0]))
    picture = HeatMap(unit, whole, *ends, limits, signed=signed, hover="%{z:.4~g}")
    marks = (picture, Words(tuple(places))) if head else (picture,)
    panel = Panel(marks, x_limits=ends[0], y_limits=(ends[1][1], 0), axes=False, square=True)
    return panel, whole.shape[0] / whole.shape[1]
