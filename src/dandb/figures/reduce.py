"""Long and wide numbers made small enough to draw, so that peaks survive."""

from __future__ import annotations

import numpy as np

from dandb.figures.chart import Array
from torchbend.plots.lines import thinned

__all__ = ["line_points", "strongest"]

_POINTS = 3000
"""Most points of a line."""


def line_points(x: Array, y: Array, most: int = _POINTS) -> tuple[Array, Array]:
    """A line of at most so many points: the least and the largest value of each piece are kept, and gaps."""
    return thinned(x, y.astype(np.float32), most)


def strongest(z: Array, rows: int, columns: int) -> Array:
    """A table of at most so many rows and columns: of each block the value that is furthest from 0.

    Args:
        z: ``[R, C]``; a block that is NaN throughout stays NaN, other NaN give way.
        rows, columns: at most, 1 or more.

    >>> strongest(np.array([[0.0, -3.0, 2.0, 1.0]]), 1, 2)
    array([[-3.,  2.]])
    """
    return _strongest_columns(_strongest_columns(z, columns).T, rows).T


def _strongest_columns(z: Array, columns: int) -> Array:
    length = z.shape[1]
    if length <= columns:
        return z
    starts = np.arange(columns) * length // columns
    # The bounds of each block without a loop; fmax and fmin pass NaN by.
    high, low = np.fmax.reduceat(z, starts, axis=1), np.fmin.reduceat(z, starts, axis=1)
    found: Array = np.where(np.abs(low) > np.abs(high), low, high)
    return found
