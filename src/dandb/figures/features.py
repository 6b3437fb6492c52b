"""Features as places: the two directions in which they differ most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dandb.figures.activation import padded
from dandb.figures.chart import Array, Chart, Dots, Panel
from dandb.figures.figure import Figure, finished
from dandb.figures.theme import theme_of
from dandb.figures.values import joined, limits_of, numbers, wrong_shape
from torchbend.errors import ShapeError

__all__ = ["plot_features", "principal_components"]

_MOST_GROUPS = 20


def plot_features(
    features: object,
    labels: Sequence[object] | object | None = None,
    names: Sequence[str] | None = None,
    display: bool | None = None,
    *,
    name: str = "features",
    theme: str | None = None,
) -> Figure:
    """A dot for each vector of features, on the two principal components of all.

    Args:
        features: ``[N, D]``; of D = 2 and more the plane in which they differ most is drawn.
        labels: what chooses colour and form of each dot: N words or whole numbers, at most 20 different ones,
            are groups; other numbers are colours from dark to bright.
        names: of the dots, shown where the mouse points.
        display: ``True`` draws at once, ``None`` at the end of the cell at the latest, ``False`` not until
            asked for; see `Figure`.
        name: the figure's title.
        theme: ``"light"``, ``"dark"``, or ``None`` for that of plotly in this session.

    Returns:
        The figure. Rows with NaN or infinity are left out, which it tells.

    Raises:
        ShapeError: the shape is another, or the number of labels or names.
        TorchbendError: no numbers, or an unknown theme.
    """
    values = numbers(features, "features")
    if values.ndim != 2:
        raise wrong_shape("features", "[N, features]", values.shape, "of activations: x.flatten(1)")
    for site, given in (("labels", labels), ("names", names)):
        if given is not None and len(given) != len(values):  # type: ignore[arg-type]
            got = len(given)  # type: ignore[arg-type]
            raise ShapeError(f"another number of {site}", site=site, wanted=f"{len(values)}", got=got)
    kept = np.isfinite(values).all(1)
    places, shares = principal_components(values[kept])
    words = () if names is None else tuple(str(word) for word in np.array(names, object)[kept])
    lost = int((~kept).sum())
    told = f"{lost:,} of {len(kept):,} vectors hold NaN or infinity: left out." if lost else ""
    dots = _groups(places, labels, words, kept)
    share = f"The two components hold {100 * sum(shares):.0f} % of the variance."
    facts = f"{len(places):,} vectors of {values.shape[1]:,} features. {share}"
    listed = [mark.name for mark in dots if mark.listed]
    panel = Panel(
        dots,
        x_label=f"component 1 ({100 * shares[0]:.0f} % of the variance)",
        y_label=f"component 2 ({100 * shares[1]:.0f} %)",
        x_limits=padded(*limits_of(places[:, 0])),
        y_limits=padded(*limits_of(places[:, 1])),
    )
    chart = Chart(
        title=name,
        subtitle=joined(facts, told),
        description=joined(facts, f"Groups: {', '.join(listed)}." if listed else "", told),
        rows=((panel,),),
        heights=(460.0,),
        theme=theme_of(theme),
    )
    return finished(chart, display)


def principal_components(values: Array) -> tuple[Array, tuple[float, float]]:
    """Coordinates on the two principal components, and the shares of the variance that they hold.

    Args:
        values: ``[N, D]``, finite.

    Returns:
        ``[N, 2]``, and two numbers from 0 to 1. The sign of a component is such that its largest weight is
        positive; a component that there is not is 0.

    >>> places, shares = principal_components(np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]]))
    >>> places[:, 0].tolist(), shares
    ([-2.0, 0.0, 2.0], (1.0, 0.0))
    """
    found = np.zeros((len(values), 2))
    if not len(values):
        return found, (0.0, 0.0)
    # Scaled first: squares of very large values would not be finite.
    size = float(np.abs(values).max()) or 1.0
    centred = values.astype(np.float64) / size
    centred -= centred.mean(0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    power = sizes**2 / max(float((sizes**2).sum()), 1e-300)
    for number, direction in enumerate(directions[:2]):
        sign = np.sign(direction[np.abs(direction).argmax()]) or 1.0
        found[:, number] = centred @ direction * sign * size
    shares = [float(share) for share in power[:2]] + [0.0] * (2 - len(power[:2]))
    return found, (shares[0], shares[1])


def _groups(places: Array, labels: object, names: tuple[str, ...], kept: Array) -> tuple[Dots, ...]:
    x, y = places.T
    if labels is None:
        return (Dots("vector", x, y, names),)
    words, values = _words(labels)
    if values is not None:
        return (Dots("label", x, y, names, values=values[kept]),)
    words = words[kept]
    found = []
    for number, word in enumerate(dict.fromkeys(words.tolist())):
        rows = np.flatnonzero(words == word)
        chosen = tuple(names[row] for row in rows) if names else ()
        found.append(Dots(str(word), x[rows], y[rows], chosen, number, listed=True))
    return tuple(found)


def _words(labels: object) -> tuple[Array, Array | None]:
    """Labels as words, or as numbers where they are no groups.

    Raises:
        ShapeError: more groups than can be told apart.
    """
    plain = [getattr(label, "item", lambda label=label: label)() for label in labels]  # type: ignore[attr-defined]
    numeric = all(isinstance(label, int | float) for label in plain)
    words = np.array([str(label) for label in plain], object)
    groups = len(set(words.tolist()))
    if numeric and (groups > _MOST_GROUPS or any(float(label) != int(label) for label in plain)):
        return words, np.array(plain, np.float64)
    if groups > _MOST_GROUPS:
        raise ShapeError(
            "too many groups to tell apart",
            site="labels",
            wanted=f"at most {_MOST_GROUPS} different words",
            got=groups,
            next_step="give names= for single dots, or numbers as labels",
        )
    return words, None
