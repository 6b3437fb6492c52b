"""Convolution kernels, each in a field of its own."""

from __future__ import annotations

import math

import numpy as np

from dandb.figures.activation import heat_map_of
from dandb.figures.chart import GUIDE, Array, Chart, Curve, Panel, Words
from dandb.figures.figure import Figure, finished
from dandb.figures.theme import theme_of
from dandb.figures.values import blanked, joined, limits_of, numbers, wrong_shape

__all__ = ["plot_kernel_grid"]

_MOST_FIELDS = 256
"""Kernels that have a field each; more are drawn as a heat map."""

_NUMBERED = 128


def plot_kernel_grid(
    kernels: object,
    display: bool | None = None,
    *,
    name: str = "kernels",
    same_scale: bool = True,
    theme: str | None = None,
) -> Figure:
    """Kernels of a convolution in one dimension, each in a field of its own, from left to right.

    Args:
        kernels: ``[N, K]``: N kernels of K taps; ``[K]`` is one; a layer's weight ``[O, I, K]`` holds
            O x I of them.
        display: ``True`` draws at once, ``None`` at the end of the cell at the latest, ``False`` not until
            asked for; see `Figure`.
        name: the figure's title.
        same_scale: all fields have one scale; otherwise each fills its own.
        theme: ``"light"``, ``"dark"``, or ``None`` for that of plotly in this session.

    Returns:
        The figure. Of more than 256 kernels it is a heat map with a row for each, which the title says.

    Raises:
        ShapeError: the shape is another.
        TorchbendError: no numbers, or an unknown theme.

    Example:
        >>> plot_kernel_grid([[0.0, 1.0, 0.0], [-1.0, 0.0, 1.0]], display=False).description
        '2 kernels of 3 taps, from -1 to 1.'
    """
    values = numbers(kernels, "kernels")
    if not 1 <= values.ndim <= 3:
        raise wrong_shape(
            "kernels", "[N, taps], [taps] or [out, in, taps]", values.shape,
            "of kernels in two dimensions: plot_image_activations(name, weight.flatten(0, 1))",
        )  # fmt: skip
    values, told = blanked(values.reshape(-1, values.shape[-1]))
    count, taps = values.shape
    low, high = limits_of(values)
    facts = f"{count:,} kernel{'s' if count > 1 else ''} of {taps:,} taps, from {low:.4g} to {high:.4g}."
    is_map = count > _MOST_FIELDS
    columns = _columns(count)
    panel = _heat_panel(values) if is_map else _fields(values, columns, same_scale)
    height = min(700.0, max(240.0, count)) if is_map else 78.0 * math.ceil(count / columns)
    scale = "All fields are on one scale." if same_scale else "Each field has a scale of its own."
    chart = Chart(
        title=f"{name} (heat map of {count:,})" if is_map else name,
        subtitle=joined(facts, "" if is_map or count == 1 else scale, told),
        description=joined(facts, told),
        rows=((panel,),),
        heights=(height,),
        theme=theme_of(theme),
    )
    return finished(chart, display)


def _columns(count: int) -> int:
    return min(count, 8 if count <= 64 else 16)


def _fields(values: Array, columns: int, same_scale: bool) -> Panel:
    """All kernels as one line with gaps: a hundred axes would take seconds to draw."""
    count, taps = values.shape
    top = np.nanmax(np.abs(values), 1, initial=0.0)
    top = np.full(count, top.max()) if same_scale else top
    heights = np.where(top > 0, top, 1)[:, None]
    row, column = np.divmod(np.arange(count), columns)
    # A field is 1 wide and 1 high; the line keeps to its inner 0.86 by 0.72.
    across = np.linspace(-0.43, 0.43, taps) if taps > 1 else np.zeros(1)
    x = column[:, None] + across[None]
    y = -row[:, None] + 0.36 * values / heights - 0.05
    details = np.stack([*np.broadcast_arrays(np.arange(count)[:, None], np.arange(taps), values)], -1)
    curve = Curve(
        "kernel", _gapped(x), _gapped(y), width=1.4, dots=taps <= 16,
        details=_gapped(details.astype(np.float32)),
        hover="kernel %{customdata[0]}, tap %{customdata[1]}: %{customdata[2]:.4~g}",
    )  # fmt: skip
    ends = np.stack([column - 0.46, column + 0.46], 1)
    zeros = Curve("0", _gapped(ends), _gapped(np.stack([-row - 0.05] * 2, 1).astype(float)), GUIDE, 1.0)
    places = zip(column, row, range(count), strict=True)
    words = Words(tuple((x - 0.46, -y + 0.4, str(number)) for x, y, number in places))
    marks = (zeros, curve, words) if count <= _NUMBERED else (zeros, curve)
    last = float(row[-1])
    return Panel(marks, axes=False, x_limits=(-0.5, columns - 0.5), y_limits=(-last - 0.5, 0.5))


def _gapped(x: Array) -> Array:
    """Rows one after the other with NaN behind each: ``[N, K, ...]`` to ``[N * (K + 1), ...]``."""
    gaps = np.full((x.shape[0], 1, *x.shape[2:]), np.nan, dtype=np.result_type(x, np.float32))
    joined_: Array = np.concatenate([x, gaps], 1)
    return joined_.reshape(-1, *x.shape[2:])


def _heat_panel(values: Array) -> Panel:
    count, taps = values.shape
    picture = heat_map_of(values, (-0.5, taps - 0.5), "kernel %{y:.0f}, tap %{x:.0f}: %{z:.4~g}")
    return Panel(
        (picture,), x_label="tap", y_label="kernel", x_limits=(-0.5, taps - 0.5), y_limits=(count - 0.5, -0.5)
    )
