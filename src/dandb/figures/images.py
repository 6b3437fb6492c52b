"""Pictures in a grid, and beside what a model made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dandb.figures.chart import Array, Chart
from dandb.figures.figure import Figure, finished
from dandb.figures.pictures import (
    MOST_PICTURES,
    Range,
    columns_of,
    grid_panel,
    pictures_of,
    range_of,
    tile_height,
)
from dandb.figures.theme import theme_of
from dandb.figures.values import blanked, joined
from torchbend.errors import ShapeError

__all__ = ["plot_image_grid", "plot_image_reconstructions"]

_MOST_PAIRS = 16


def plot_image_grid(
    images: object,
    names: Sequence[str] | None = None,
    display: bool | None = None,
    *,
    columns: int | None = None,
    limits: tuple[float, float] | None = None,
    name: str = "images",
    theme: str | None = None,
) -> Figure:
    """A batch of pictures in a grid.

    Args:
        images: ``[N, C, H, W]`` with 1 or 3 channels, ``[C, H, W]``, ``[N, H, W]`` or ``[H, W]``; the first
            256 are drawn.
        names: of the pictures, written above each; an empty one leaves its picture without.
        display: ``True`` draws at once, ``None`` at the end of the cell at the latest, ``False`` not until
            asked for; see `Figure`.
        columns: pictures beside one another, 1 to 64.
        limits: the values of black and white. Without it 0 and 1, -1 and 1, or 0 and 255 (whole numbers) are
            recognised, and others stretched; the subtitle says which.
        name: the figure's title.
        theme: ``"light"``, ``"dark"``, or ``None`` for that of plotly in this session.

    Returns:
        The figure.

    Raises:
        ShapeError: the shape is another, or there is another number of names.
        TorchbendError: no numbers, no range, or an unknown theme.
    """
    pictures = pictures_of(images, "images")
    total = len(pictures)
    if names is not None and len(names) != total:
        raise ShapeError("another number of names", site="names", wanted=f"{total}", got=len(names))
    if columns is not None and not 1 <= columns <= 64:
        raise ShapeError("no number of columns", site="columns", wanted="1 to 64", got=columns)
    told, pictures = blanked(pictures)[1], pictures[:MOST_PICTURES]
    scale, looks = range_of(limits, pictures), theme_of(theme)
    wide = min(columns or columns_of(len(pictures)), len(pictures))
    words = None if names is None else [str(word) for word in names][:MOST_PICTURES]
    named = [word for word in words or () if word]
    facts = _facts(pictures, total)
    rows, height = math.ceil(len(pictures) / wide), tile_height(pictures.shape, wide)
    chart = Chart(
        title=name,
        subtitle=joined(facts, scale.words, told),
        description=joined(facts, f"Names: {', '.join(named[:32])}." if named else "", told),
        rows=((grid_panel(pictures, scale, wide, looks, words),),),
        heights=(rows * height * (1.2 if words else 1.04),),
        theme=looks,
    )
    return finished(chart, display)


def plot_image_reconstructions(
    x: object,
    y: object,
    display: bool | None = None,
    *,
    limits: tuple[float, float] | None = None,
    labels: tuple[str, str] = ("inputs", "reconstructions"),
    theme: str | None = None,
) -> Figure:
    """Pictures above what a model made of them, and below both how they differ.

    Args:
        x: the inputs, as for `plot_image_grid`; the first 16 are drawn.
        y: the reconstructions, of the same shape.
        display: ``True`` draws at once, ``None`` at the end of the cell at the latest, ``False`` not until
            asked for; see `Figure`.
        limits: the values of black and white, for both.
        labels: the words for both.
        theme: ``"light"``, ``"dark"``, or ``None`` for that of plotly in this session.

    Returns:
        The figure; its subtitle tells the mean absolute difference.

    Raises:
        ShapeError: the shapes differ, or are not those of pictures.
        TorchbendError: no numbers, no range, or an unknown theme.
    """
    before, after = pictures_of(x, "x"), pictures_of(y, "y")
    if before.shape != after.shape:
        raise ShapeError(
            "these pictures do not go together", site="y", wanted=list(before.shape), got=list(after.shape)
        )
    total, told = len(before), joined(blanked(before)[1], blanked(after)[1])
    before, after = before[:_MOST_PAIRS], after[:_MOST_PAIRS]
    scale, looks = range_of(limits, before, after), theme_of(theme)
    differences = np.abs(blanked(after)[0] - blanked(before)[0])
    known = differences[np.isfinite(differences)]
    apart = float(known.mean()) if known.size else 0.0
    facts = joined(_facts(before, total), f"Mean absolute difference: {apart:.4g}.")
    wide, span = len(before), float(known.max()) if known.size and known.any() else 1.0
    panels = (
        grid_panel(before, scale, wide, looks, title=labels[0]),
        grid_panel(after, scale, wide, looks, title=labels[1]),
        grid_panel(
            differences, Range(0, span, ""), wide, looks, title=f"absolute difference, white is {span:.4g}"
        ),
    )
    chart = Chart(
        title=f"{labels[0]} and {labels[1]}",
        subtitle=joined(facts, scale.words, told),
        description=joined(facts, told),
        rows=tuple((panel,) for panel in panels),
        heights=(tile_height(before.shape, wide),) * 3,
        theme=looks,
    )
    return finished(chart, display)


def _facts(pictures: Array, total: int) -> str:
    count, high, wide = pictures.shape[:3]
    shown = f"The first {count} of {total:,} pictures" if total > count else f"{count} picture"
    return f"{shown}{'s' if total == count and count > 1 else ''} of {wide} x {high} pixels."
