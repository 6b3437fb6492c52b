"""The table of runs: each number is that of the log, and what is broken is told and hides nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from torchbend.errors import TrainingError
from torchbend.rave import preset
from torchbend.rave.config_json import to_dict
from torchbend.training.overview import RunState, overview, words_of
from torchbend.training.settings import TrainSettings

NOW = 1_000_000_000.0


def line(step: int, seconds: float, phase: int = 1, **more: float) -> dict[str, Any]:
    """A line of a log."""
    values = {"fullband_spectral_distance": 10.0 - step / 100, "beta_factor": 0.1, **more}
    times = {"seconds": seconds, "step_seconds": 0.5, "waited": 0.02}
    return {"step": step, "epoch": step // 40, "phase": phase, **times, **values}


def a_run(folder: Path, records: list[dict[str, Any]], quiet: float = 0.0, **settings: Any) -> Path:
    """A run of 200 steps with two phases of 100, whose log moved ``quiet`` seconds ago."""
    config = to_dict(preset("v2", "causal", capacity=32))
    config["training"]["phase_1_duration"] = 100
    own = TrainSettings(**{"max_steps": 200, "log_every": 10, **settings})
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"config": config, "settings": own.to_dict()}))
    log = folder / "records.jsonl"
    log.write_text("".join(json.dumps(record) + "\n" for record in records))
    for file in (folder / "run.json", log):
        os.utime(file, (NOW - quiet, NOW - quiet))
    return folder


def only(folder: Path) -> RunState:
    (found,) = overview(folder, NOW)
    return found


def test_values_are_those_of_the_log(tmp_path: Path) -> None:
    tests = [{"step": 40, "validation": 8.0}, {"step": 80, "validation": 9.0}]
    a_run(
        tmp_path / "a",
        [line(40, 20.0), tests[0], line(60, 30.0), tests[1], line(80, 50.0, regularization=0.5)],
    )
    run = only(tmp_path)
    assert (run.name, run.state, run.configuration) == ("a", "runs", "v2+causal, capacity 32")
    assert (run.step, run.max_steps, run.share, run.epoch, run.phase) == (80, 200, 0.4, 2, 1)
    assert (run.validation, run.best) == (9.0, 8.0)
    assert run.losses == {"fullband_spectral_distance": 9.2, "regularization": 0.5}
    assert run.step_seconds == pytest.approx(30 / 40) and run.seconds == 50.0
    assert run.left == pytest.approx(120 * 0.75) and run.grows_slower
    assert run.waited == pytest.approx(0.02)


def test_speed_is_that_of_the_phase(tmp_path: Path) -> None:
    a_run(tmp_path / "a", [line(90, 9.0), line(100, 10.0), line(110, 40.0, 2), line(120, 70.0, 2)])
    run = only(tmp_path)
    assert run.phase == 2 and run.step_seconds == pytest.approx(3.0) and not run.grows_slower


@pytest.mark.parametrize(
    ("quiet", "log_every", "state"),
    [(10, 10, "runs"), (119, 10, "runs"), (121, 10, "stands"), (240, 100, "runs"), (260, 100, "stands")],
)
def test_who_runs_is_told_by_the_time_of_the_log(
    tmp_path: Path, quiet: float, log_every: int, state: str
) -> None:
    a_run(tmp_path / "a", [line(100, 50.0)], quiet, log_every=log_every)
    assert only(tmp_path).state == state


def test_a_finished_run_is_done_and_a_new_one_has_no_numbers(tmp_path: Path) -> None:
    a_run(tmp_path / "b", [line(200, 99.0, 2)], 1e6)
    a_run(tmp_path / "a", [])
    new, done = overview(tmp_path, NOW)
    assert (new.state, new.step, new.left, new.losses) == ("runs", 0, None, {})
    assert (done.state, done.left, done.share) == ("done", 0.0, 1.0)


def test_broken_runs_are_listed_last_with_the_reason(tmp_path: Path) -> None:
    a_run(tmp_path / "z" / "deep", [line(10, 5.0)])
    for name, text in (("b", "{"), ("c", "[]"), ("d", '{"config": {"name": 3}, "settings": {}}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    (tmp_path / "a" / "checkpoints").mkdir(parents=True)
    (tmp_path / "sounds").mkdir()
    found = overview(tmp_path, NOW)
    assert [run.name for run in found] == ["z/deep", "a", "b", "c", "d"]
    assert [run.state for run in found] == ["runs", *["broken"] * 4]
    assert "run.json" in found[1].trouble and all(run.trouble for run in found[1:])


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    log = a_run(tmp_path / "a", [line(10, 5.0), line(20, 10.0)]) / "records.jsonl"
    log.write_bytes(log.read_bytes() + b'"validation"\n{"step": 30, "seconds": 1\n{"step": 30, "fullb\xff')
    assert only(tmp_path / "a").step == 20 and only(tmp_path / "a").name == "a"


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no such folder"):
        overview(tmp_path / "nowhere")


def test_words_of_configurations() -> None:
    assert words_of(preset("v2")) == "v2"
    assert words_of(preset("v2", latent_size=16, channels=2)) == "v2, 16 latents, stereo"
