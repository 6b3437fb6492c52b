"""Latent trajectories: lines of those that move most, and all of them as a heat map."""

from __future__ import annotations

import numpy as np

from dandb.figures.activation import heat_map_of, padded, ticks_every
from dandb.figures.chart import Array, Chart, Curve, Panel
from dandb.figures.figure import Figure, finished
from dandb.figures.reduce import line_points
from dandb.figures.theme import theme_of
from dandb.figures.values import blanked, joined, limits_of, numbers, wrong_shape
from torchbend.errors import TorchbendError

__all__ = ["plot_latent_trajs"]

_LINES = 5
"""Latents that are drawn as lines where there are too many."""

_ALL_LINES = 8
"""So many or fewer are all drawn as lines."""

_MOST_EXAMPLES = 4


def plot_latent_trajs(
    z: object,
    name: str = "latent trajectories",
    display: bool | None = None,
    *,
    rate: float | None = None,
    theme: str | None = None,
) -> Figure:
    """The path of a sound through latent space.

    Up to 8 latents are all drawn as lines. Of more, the 5 that move most are, and a heat map shows all. Of a
    batch the first four examples are drawn.

    Args:
        z: latents ``[T]``, ``[L, T]`` or ``[B, L, T]``, as of ``model.encode``.
        name: the figure's title.
        display: ``True`` draws at once, ``None`` at the end of the cell at the latest, ``False`` not until
            asked for; see `Figure`.
        rate: latent steps in a second, as ``44100 / 2048``; the time is then in seconds.
        theme: ``"light"``, ``"dark"``, or ``None`` for that of plotly in this session.

    Returns:
        The figure, with a ``show()`` and a ``save(path)``.

    Raises:
        ShapeError: the shape is another.
        TorchbendError: no numbers, no rate, or an unknown theme.

    Example:
        >>> plot_latent_trajs([[0.0, 1.0], [1.0, 0.0]], display=False).description
        'Trajectories of 2 latents over 2 steps, from 0 to 1.'
    """
    values = numbers(z, "z")
    if not 1 <= values.ndim <= 3:
        raise wrong_shape("z", "[T], [latents, T] or [batch, latents, T]", values.shape)
    values = values.reshape((1,) * (3 - values.ndim) + values.shape)
    if rate is not None and not 0 < rate < 1e7:
        raise TorchbendError("no rate of latents", site="rate", wanted="steps in a second, above 0", got=rate)
    batch, count, steps = values.shape
    values, told = blanked(values)
    low, high = limits_of(values)
    facts = f"Trajectories of {count:,} latent{'s' if count > 1 else ''} over {steps:,} steps, "
    facts += f"from {low:.4g} to {high:.4g}."
    if batch > 1:
        shown = f"the first {_MOST_EXAMPLES} of {batch}" if batch > _MOST_EXAMPLES else f"{batch}"
        facts = joined(facts, f"Examples: {shown}.")
    rows: list[tuple[Panel, ...]] = []
    for number, example in enumerate(values[:_MOST_EXAMPLES]):
        title = f"example {number}" if batch > 1 else ""
        rows += _example(example, title, rate, number == 0)
    is_map = count > _ALL_LINES
    heights = (200.0, min(420.0, max(140.0, 2.6 * count))) if is_map else (240.0,)
    how = f"Lines: the {_LINES} that move most. Heat map: all {count:,}." if is_map else ""
    chart = Chart(
        title=name,
        subtitle=joined(facts, how, told),
        description=joined(facts, told),
        rows=tuple(rows),
        heights=heights * min(batch, _MOST_EXAMPLES),
        theme=theme_of(theme),
        share_x=True,
    )
    return finished(chart, display)


def _example(values: Array, title: str, rate: float | None, first: bool) -> list[tuple[Panel, ...]]:
    count, steps = values.shape
    times = np.arange(steps) / (rate or 1)
    end = times[-1] if steps > 1 else 1.0
    label = "latent step" if rate is None else "time in s"
    hover = "%{x:.5~g}: %{y:.4~g}"
    curves, listed = [], first or count > _ALL_LINES
    for colour, latent in enumerate(_moving(values)):
        x, y = line_points(times, values[latent])
        curves.append(
            Curve(f"latent {latent}", x, y, colour, 1.5, dots=steps <= 16, listed=listed, hover=hover)
        )
    words = "the latents that move most" if count > _ALL_LINES else ""
    ends = padded(*limits_of(values[_moving(values)]))
    lines = Panel(tuple(curves), _both(title, words), label, "value", x_limits=(0, end), y_limits=ends)
    if count <= _ALL_LINES:
        return [(lines,)]
    half = 0.5 * (times[1] if steps > 1 else 1.0)
    picture = heat_map_of(values, (-half, times[-1] + half), "latent %{y:.0f} at %{x:.5~g}: %{z:.4~g}")
    ticks = tuple((float(row), str(row)) for row in range(0, count, ticks_every(count)))
    heat = Panel(
        (picture,), _both(title, f"all {count:,} latents"), label, "latent", y_ticks=ticks, x_limits=(0, end),
        y_limits=(count - 0.5, -0.5),
    )  # fmt: skip
    return [(lines,), (heat,)]


def _both(title: str, words: str) -> str:
    """A title and what follows it, where there is one."""
    return ": ".join(part for part in (title, words) if part)


def _moving(values: Array) -> list[int]:
    """The numbers of the latents whose values differ most over time, in their order."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(1, keepdims=True), 1)
    means = np.where(known, values, 0).sum(1, keepdims=True) / count
    spread = (np.where(known, values - means, 0) ** 2).sum(1) / count[:, 0]
    order = np.argsort(-spread, kind="stable")
    return sorted(int(row) for row in order[: _LINES if len(values) > _ALL_LINES else _ALL_LINES])
