"""Evaluations side by side, as a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torchbend.errors import MissingExtraError, TorchbendError
from torchbend.evaluation.models import Evaluation
from torchbend.evaluation.summary import MEASURES, Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["comparison_figure", "figure_bytes"]

# Okabe and Ito's colours, which the colour-blind tell apart; grey is for what is no model.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_GREY = "#8c8c8c"
_COLUMNS = 4
_ARROWS = {"less": "↓", "more": "↑"}


def comparison_figure(evaluations: Sequence[Evaluation], title: str = "") -> Figure:
    """A panel of bars for each measure, and one of the divergence of each latent, largest first.

    Args:
        evaluations: models of one reference, with names that differ.
        title: above all.

    Raises:
        MissingExtraError: matplotlib is not installed.
        TorchbendError: there is nothing to show.
    """
    if not evaluations:
        raise TorchbendError("there is nothing to show", site="evaluations", wanted="at least one")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.of("matplotlib", "plots", "a figure") from error
    shown = [m for m in MEASURES if any(_known(m, e) for e in evaluations)]
    lines = any(e.latents is not None and bool(e.latents.divergence.any()) for e in evaluations)
    count = len(shown) + lines
    rows = math.ceil(count / _COLUMNS)
    height = 0.9 + rows * (0.75 + 0.24 * len(evaluations))
    figure = Figure(figsize=(13, height), layout="constrained")
    panels = list(figure.subplots(rows, _COLUMNS, squeeze=False).flat)
    for panel in panels[count:]:
        panel.remove()
    for index, (panel, measure) in enumerate(zip(panels, shown, strict=False)):
        _bars(panel, measure, evaluations, named=index % _COLUMNS == 0)
    if lines:
        _latents(panels[len(shown)], evaluations)
    if title:
        figure.suptitle(title, fontsize=12)
    figure.supxlabel("↓ less is better   ↑ more is better", fontsize=8, x=0.99, ha="right", color="#555555")
    return figure


def figure_bytes(figure: Figure, kind: str = "png") -> bytes:
    """A figure as the content of a file.

    Args:
        figure: what to write.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=140, facecolor="white")
    return content.getvalue()


def _known(measure: Measure, evaluation: Evaluation) -> bool:
    value = measure.value(evaluation)
    return value is not None and math.isfinite(value)


def _colours(evaluations: Sequence[Evaluation]) -> list[str]:
    models = [e for e in evaluations if e.latents is not None]
    return [_COLOURS[models.index(e) % len(_COLOURS)] if e in models else _GREY for e in evaluations]


def _bars(panel: Axes, measure: Measure, evaluations: Sequence[Evaluation], named: bool) -> None:
    values = [
        value if (value := measure.value(e)) is not None and math.isfinite(value) else 0.0
        for e in evaluations
    ]
    places = range(len(evaluations))
    panel.barh(places, values, color=_colours(evaluations), height=0.7)
    for place, value, evaluation in zip(places, values, evaluations, strict=True):
        panel.annotate(
            measure.text(evaluation),
            (value, place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    panel.set_title(f"{measure.name} {_ARROWS.get(measure.better, '')}", fontsize=9, loc="left")
    panel.set_yticks(places, [e.name if named else "" for e in evaluations], fontsize=8)
    panel.invert_yaxis()
    panel.set_xlim(0, 1.25 * max(values) if max(values) > 0 else 1)
    _plain(panel)


def _latents(panel: Axes, evaluations: Sequence[Evaluation]) -> None:
    for evaluation, colour in zip(evaluations, _colours(evaluations), strict=True):
        if evaluation.latents is not None:
            values = evaluation.latents.divergence.sort(descending=True).values
            panel.plot(range(1, len(values) + 1), values.numpy(), color=colour, linewidth=1.5)
    panel.set_title("divergence of each latent (nats)", fontsize=9, loc="left")
    panel.set_xlabel("latents, the most telling first", fontsize=8)
    panel.set_ylim(0, 1.1 * max(float(e.latents.divergence.max()) for e in evaluations if e.latents))
    _plain(panel)


def _plain(panel: Any) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=8)
