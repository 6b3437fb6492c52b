"""Evaluations side by side: as a table, and as data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torchbend.display import Table
from torchbend.evaluation.models import Evaluation

__all__ = ["MEASURES", "Measure", "as_data", "table_of"]


@dataclass(frozen=True)
class Measure:
    """One number of an evaluation.

    Attributes:
        name: in words, with the unit.
        value: of an evaluation; None where it has none.
        better: "more", "less", or neither.
        digits: after the point.
    """

    name: str
    value: Callable[[Evaluation], float | None]
    better: str = "less"
    digits: int = 2

    def text(self, evaluation: Evaluation) -> str:
        """The number as it is shown."""
        value = self.value(evaluation)
        return "-" if value is None or math.isnan(value) else f"{value:.{self.digits}f}"


MEASURES = (
    Measure("spectral distance", lambda e: e.scores.spectral_distance, digits=3),
    Measure("log-mel distance (dB)", lambda e: e.scores.log_mel_distance),
    Measure("timbre distance (dB²)", lambda e: e.scores.embedding_distance, digits=1),
    Measure("pitch within 50 cents (%)", lambda e: 100 * e.scores.pitch_within_50_cents, "more", 1),
    Measure("median pitch error (cents)", lambda e: e.scores.pitch_median_cents, digits=1),
    Measure("voicing error (%)", lambda e: 100 * e.scores.voicing_error, digits=1),
    Measure("loudness error (dB)", lambda e: e.scores.loudness_error),
    Measure("active latents", lambda e: e.latents.active if e.latents else None, "", 0),
    Measure("divergence (nats a frame)", lambda e: e.latents.total_divergence if e.latents else None, "", 1),
    Measure("whole sounds (x real time)", lambda e: e.speed.whole if e.speed else None, "more", 1),
    Measure("blocks (x real time)", lambda e: e.speed.blocks if e.speed else None, "more", 1),
)
"""In the order in which they are shown."""


def table_of(evaluations: Sequence[Evaluation]) -> Table:
    """A row for each measure, a column for each model; measures that no model has are left out.

    Args:
        evaluations: models of one reference, with names that differ.
    """
    shown = [m for m in MEASURES if any(m.value(e) is not None for e in evaluations)]
    rows = [[m.name, *(m.text(e) for e in evaluations), m.better] for m in shown]
    return Table(["", *(e.name for e in evaluations), "better"], rows)


def as_data(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation in plain numbers and lists, as JSON takes them; what is not a number is None."""
    latents = evaluation.latents
    found: dict[str, Any] = {"model": evaluation.name, **asdict(evaluation.scores)}
    if latents is not None:
        found["latents"] = {
            "active": latents.active,
            "total_divergence": latents.total_divergence,
            "mean": latents.mean.tolist(),
            "std": latents.std.tolist(),
            "divergence": latents.divergence.tolist(),
        }
    if evaluation.speed is not None:
        found["real_time_factor"] = asdict(evaluation.speed)
    return {name: _number(value) for name, value in found.items()}


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
