"""Curves hold what the log holds, at the right places."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.training.test_overview import line

from torchbend.errors import TrainingError
from torchbend.training.curves import Log, curve, read_log, smoothed


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """200 steps, 40 an epoch, 0.5 s a step; 1 s from the second phase on, which begins after step 100."""
    path = tmp_path / "records.jsonl"
    records = []
    for step in range(10, 201, 10):
        second = step > 100
        seconds = 0.5 * min(step, 100) + max(step - 100, 0)
        records.append({**line(step, seconds, 1 + second), "epoch": (step - 1) // 40})
        if step % 50 == 0:
            records.append({"step": step, "validation": step / 10, "fidelity_0.95": 3})
    records.insert(10, {"step": 100, "event": "phase 2 begins"})
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + '{"step": 210, "sec')
    return read_log(path, "a")


def test_distance_against_steps(log: Log) -> None:
    found = curve(log, "distance")
    assert found.x.tolist() == list(range(10, 201, 10))
    assert np.allclose(found.y, 10 - found.x / 100) and found.raw is None
    assert found.change == 100.0


def test_validations_stand_where_they_were_made(log: Log) -> None:
    assert curve(log, "validation").x.tolist() == [50, 100, 150, 200]
    assert curve(log, "validation").y.tolist() == [5, 10, 15, 20]
    hours = curve(log, "validation", "hours")
    assert np.allclose(hours.x * 3600, [25, 50, 100, 150])
    assert hours.change is not None and hours.change * 3600 == pytest.approx(50)


def test_epochs_have_fractions(log: Log) -> None:
    found = curve(log, "epochs")
    assert np.allclose(found.y, found.x / 40, atol=0.3) and (np.diff(found.y) > 0).all()
    assert np.allclose(curve(log, "distance", "epochs").x, found.y)


def test_a_run_in_its_first_epoch(tmp_path: Path) -> None:
    (tmp_path / "r").write_text(json.dumps(line(10, 5.0)))
    assert curve(read_log(tmp_path / "r", "a"), "epochs").y.tolist() == [0.0]
    with pytest.raises(TrainingError, match="no validation yet"):
        curve(read_log(tmp_path / "r", "a"), "validation")


def test_nothing_to_draw_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nothing to draw"):
        read_log(tmp_path / "none", "a")


def test_a_mean_does_not_reach_across_the_change() -> None:
    steps = np.arange(1, 101)
    values = np.where(steps <= 50, 4.0, 8.0)
    assert np.array_equal(smoothed(steps, values, 30, change=50), values)
    assert not np.array_equal(smoothed(steps, values, 30), values)


def test_smoothing_takes_noise_away_and_keeps_level_and_slope() -> None:
    steps, rng = np.arange(0, 10_000, 10), np.random.default_rng(0)
    noisy = 5 - steps / 4000 + rng.normal(0, 0.5, len(steps))
    error = (smoothed(steps, noisy, 1000) - (5 - steps / 4000))[50:-50]
    assert abs(error).max() < 0.2 and error.std() < 0.08


def test_smoothing_changes_curves_of_training_only(log: Log) -> None:
    found = curve(log, "distance", smooth=50)
    assert found.raw is not None and np.allclose(found.raw, 10 - found.x / 100)
    assert np.allclose(found.y[2:8], found.raw[2:8])
    assert curve(log, "validation", smooth=50).raw is None


def test_a_prior_is_measured_otherwise(tmp_path: Path) -> None:
    text = json.dumps({"step": 10, "epoch": 0, "phase": 1, "seconds": 1.0, "latent_prediction": 3.4})
    (tmp_path / "r").write_text(text)
    log = read_log(tmp_path / "r", "a")
    assert log.measure == "cross entropy" and curve(log, "distance").y.tolist() == [3.4]
