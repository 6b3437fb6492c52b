"""The curves of a run: what its log tells, as numbers to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from torchbend.errors import TrainingError
from torchbend.training.records import read_records

__all__ = ["AGAINST", "WHAT", "Against", "Curve", "Log", "What", "curve", "read_log", "smoothed"]

What = Literal["distance", "validation", "epochs"]
Against = Literal["steps", "epochs", "hours"]

WHAT: tuple[What, ...] = ("distance", "validation", "epochs")
AGAINST: tuple[Against, ...] = ("steps", "epochs", "hours")

_MEASURES = {"fullband_spectral_distance": "spectral distance", "latent_prediction": "cross entropy"}
"""What trainings are measured by: a model, and a prior."""


@dataclass(frozen=True)
class Log:
    """What a log tells at each of its lines.

    Attributes:
        name: of the run.
        measure: what it is measured by: ``"spectral distance"``, or ``"cross entropy"`` for a prior.
        steps: done at each line, rising.
        epochs: passes through the corpus, with their fractions.
        hours: of work.
        phases: 1 or 2.
        distances: means of this measure in training, since the line before; NaN where there is none.
        validated: steps at which the run was validated.
        validations: the distance at each of them.
    """

    name: str
    measure: str
    steps: np.ndarray
    epochs: np.ndarray
    hours: np.ndarray
    phases: np.ndarray
    distances: np.ndarray
    validated: np.ndarray
    validations: np.ndarray

    @property
    def change(self) -> int | None:
        """The last step of the first phase; None where the second has not begun."""
        later = np.flatnonzero(self.phases == 2)
        return int(self.steps[max(later[0] - 1, 0)]) if len(later) else None

    def place(self, steps: np.ndarray, against: Against) -> np.ndarray:
        """Steps as what they are drawn against."""
        if against == "steps":
            return steps.astype(float)
        values = self.epochs if against == "epochs" else self.hours
        return np.asarray(np.interp(steps, np.append(0, self.steps), np.append(0.0, values)))


@dataclass(frozen=True)
class Curve:
    """Points of one run.

    Attributes:
        name: of the run.
        x, y: the points.
        raw: the values before they were smoothed; None where they are as they were.
        change: where the second phase begins, on the horizontal axis; None where it does not.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    raw: np.ndarray | None = None
    change: float | None = None


def read_log(path: str | Path, name: str) -> Log:
    """The log of a run.

    Args:
        path: of ``records.jsonl``.
        name: of the run.

    Raises:
        TrainingError: it holds no line with losses, or cannot be read.
    """
    try:
        records = read_records(Path(path))
    except OSError as error:
        raise TrainingError("the log cannot be read", site=str(path), got=str(error)) from error
    lines = [r for r in records if isinstance(r.get("seconds"), (int, float)) and "epoch" in r]
    if not lines:
        raise TrainingError(
            "there is nothing to draw yet",
            site=str(path),
            wanted="a line with losses",
            got=f"{len(records)} lines",
            next_step="wait until the run has made some steps",
        )
    steps = _column(lines, "step").astype(int)
    tests = [r for r in records if isinstance(r.get("validation"), (int, float))]
    key = next((key for key in _MEASURES if any(key in line for line in lines)), next(iter(_MEASURES)))
    return Log(
        name,
        _MEASURES[key],
        steps,
        _fractions(steps, _column(lines, "epoch")),
        _column(lines, "seconds") / 3600,
        _column(lines, "phase", 1),
        _column(lines, key),
        _column(tests, "step").astype(int),
        _column(tests, "validation"),
    )


def curve(log: Log, what: What, against: Against = "steps", smooth: int = 0) -> Curve:
    """One curve of a run.

    Args:
        log: of the run.
        what: the distance in training, at validations, or epochs.
        against: the horizontal axis.
        smooth: steps that a mean is taken over, of distances in training; 0 takes none.

    Raises:
        TrainingError: the run has no such values yet.
    """
    if what == "validation":
        steps, y = log.validated, log.validations
    elif what == "epochs":
        steps, y = log.steps, log.epochs
    else:
        held = np.isfinite(log.distances)
        steps, y = log.steps[held], log.distances[held]
    if not len(steps):
        raise TrainingError(f"this run has no {what} yet", site=log.name)
    raw = None
    if what == "distance" and smooth:
        raw, y = y, smoothed(steps, y, smooth, log.change)
    begun = None if log.change is None else float(log.place(np.array([log.change]), against)[0])
    return Curve(log.name, log.place(steps, against), y, raw, begun)


def smoothed(steps: np.ndarray, values: np.ndarray, width: int, change: int | None = None) -> np.ndarray:
    """Means over a window of steps around each point.

    At the beginning, where curves are steep, the window is narrower, so that the point stays in its middle.
    At the end it reaches back only.

    Args:
        steps: rising.
        values: one for each.
        width: of the window, in steps.
        change: a step that no mean reaches across.

    >>> smoothed(np.arange(5), np.array([0.0, 3.0, 0.0, 3.0, 0.0]), 2).tolist()
    [0.0, 1.0, 2.0, 1.0, 1.5]
    """
    if change is not None:
        first = steps <= change
        if first.any() and not first.all():
            parts = (smoothed(steps[p], values[p], width) for p in (first, ~first))
            return np.concatenate(list(parts))
    reach = np.minimum(width / 2, steps - steps[0])
    low = np.searchsorted(steps, steps - reach, "left")
    high = np.searchsorted(steps, steps + reach, "right")
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means: np.ndarray = (sums[high] - sums[low]) / (high - low)
    return means


def _column(records: Sequence[Mapping[str, Any]], key: str, missing: float = np.nan) -> np.ndarray:
    return np.array([float(record.get(key, missing)) for record in records])


def _fractions(steps: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """Finished passes at each step, and the share of the one under way, by the pace of those before."""
    first = np.flatnonzero(np.diff(epochs, prepend=epochs[0] - 1) > 0)
    known_x, known_y = steps[first].astype(float), epochs[first].copy()
    if epochs[0] == 0:
        known_x[0] = 0.0
    if len(first) > 1:
        pace = (known_y[-1] - known_y[-2]) / (known_x[-1] - known_x[-2])
        known_x = np.append(known_x, steps[-1] + 1.0)
        known_y = np.append(known_y, min(known_y[-1] + pace * (known_x[-1] - known_x[-2]), known_y[-1] + 1))
    return np.asarray(np.interp(steps, known_x, known_y))
