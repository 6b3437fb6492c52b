"""Batches of pictures as one picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dandb.figures.chart import Array, Panel, Picture, Words
from dandb.figures.theme import Theme
from dandb.figures.values import limits_of, numbers, wrong_shape
from torchbend.errors import TorchbendError

__all__ = ["MOST_PICTURES", "Range", "columns_of", "grid_panel", "pictures_of", "range_of", "tile_height"]

MOST_PICTURES = 256
"""Pictures of one figure."""

_WIDTH = 960
"""Pixels across that a grid is drawn on."""

_FINEST = 1600
"""Pixels across of a grid that holds more: its pictures are made smaller."""


@dataclass(frozen=True)
class Range:
    """Which values are black and which are white.

    Attributes:
        low, high: these.
        words: the same, told.
    """

    low: float
    high: float
    words: str


def pictures_of(x: object, site: str) -> Array:
    """Pictures ``[N, H, W, 3]`` of numbers.

    Args:
        x: ``[N, C, H, W]`` or ``[C, H, W]`` with 1 or 3 channels, ``[N, H, W]`` or ``[H, W]``; colours may
            come last where they do not come first.
        site: the argument's name.

    Raises:
        ShapeError: another shape.
    """
    values = numbers(x, site)
    shape = values.shape
    wanted = "[N, C, H, W] or [C, H, W] with 1 or 3 channels, [N, H, W] or [H, W]"
    if values.ndim == 2:
        values = values[None, None]
    elif values.ndim == 3:
        if shape[0] in (1, 3):
            values = values[None]
        else:
            values = values.transpose(2, 0, 1)[None] if shape[2] in (3, 4) else values[:, None]
    elif values.ndim == 4 and shape[1] not in (1, 3) and shape[3] in (1, 3, 4):
        values = values.transpose(0, 3, 1, 2)
    if values.ndim != 4 or values.shape[1] not in (1, 3, 4):
        step = "of an activation: plot_image_activations(name, x)" if len(shape) == 4 else None
        raise wrong_shape(site, wanted, shape, step)
    colours = values[:, :3] if values.shape[1] >= 3 else np.repeat(values, 3, 1)
    found: Array = colours.transpose(0, 2, 3, 1)
    return found


def range_of(limits: tuple[float, float] | None, *batches: Array) -> Range:
    """What is black and what is white: as given, or 0 and 1, -1 and 1, 0 and 255, else least and largest.

    Raises:
        TorchbendError: the given limits do not rise.
    """
    if limits is not None:
        if not limits[0] < limits[1]:
            raise TorchbendError(
                "no range", site="limits", wanted="(black, white), black < white", got=limits
            )
        return Range(*limits, f"Black is {limits[0]:.4g}, white is {limits[1]:.4g}.")
    ends = [limits_of(batch) for batch in batches]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    for black, white in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        room = 1e-3 * (white - black)
        if black - room <= low and high <= white + room and (white < 255 or _whole(batches)):
            return Range(black, white, f"Black is {black:g}, white is {white:g}.")
    high = high if high > low else low + 1
    words = f"Values from {low:.4g} to {high:.4g} are stretched from black to white."
    return Range(low, high, words)


def columns_of(count: int) -> int:
    """Pictures beside one another."""
    return min(count, 8 if count <= 64 else 16)


def tile_height(shape: tuple[int, ...], columns: int) -> float:
    """Pixels that a row of a grid is drawn on, for pictures ``[N, H, W, 3]``."""
    return min(220.0, _WIDTH / columns) * shape[1] / shape[2]


def grid_panel(
    pictures: Array, scale: Range, columns: int, theme: Theme, names: list[str] | None = None, title: str = ""
) -> Panel:
    """All pictures in a panel, from left to right and from top to bottom.

    Args:
        pictures: ``[N, H, W, 3]``; what is not finite takes the colour of the ground.
        scale: black and white.
        columns: pictures beside one another.
        theme: colours.
        names: written above each.
        title: of the panel.
    """
    paper = np.array([int(theme.look.paper[at : at + 2], 16) for at in (1, 3, 5)], np.uint8)
    tiles = _smaller(pictures, max(1, math.ceil(columns * pictures.shape[2] / _FINEST)))
    count, high, wide = tiles.shape[:3]
    levels = (tiles - scale.low) / (scale.high - scale.low) * 255
    shown = np.nan_to_num(np.clip(np.round(levels), 0, 255)).astype(np.uint8)
    shown[~np.isfinite(tiles).all(-1)] = paper
    gap = max(1, round(0.04 * wide))
    head = max(1, round(18 * wide / min(220, _WIDTH / columns))) if names is not None else 0
    rows = math.ceil(count / columns)
    canvas = np.empty((rows * (high + gap + head) - gap, columns * (wide + gap) - gap, 3), np.uint8)
    canvas[:] = paper
    places = []
    for number in range(count):
        row, column = divmod(number, columns)
        top, left = row * (high + gap + head) + head, column * (wide + gap)
        canvas[top : top + high, left : left + wide] = shown[number]
        if names is not None:
            places.append((left + 0.0, top - head / 2, names[number]))
    marks = (Picture(title or "pictures", canvas), Words(tuple(places)))
    return Panel(
        marks, title, x_limits=(0, canvas.shape[1]), y_limits=(canvas.shape[0], 0), axes=False, square=True
    )


def _whole(batches: tuple[Array, ...]) -> bool:
    """Whether all are whole numbers, as those of 8 bits are."""
    return all(bool((np.nan_to_num(batch) % 1 == 0).all()) for batch in batches)


def _smaller(pictures: Array, factor: int) -> Array:
    """Means of squares of pixels; rows and columns that fill none are left out."""
    if factor == 1:
        return pictures
    count, high, wide, colours = pictures.shape
    high, wide = max(1, high // factor), max(1, wide // factor)
    cut = pictures[:, : high * factor, : wide * factor]
    found: Array = cut.reshape(count, high, -1, wide, cut.shape[2] // wide, colours).mean((2, 4))
    return found
