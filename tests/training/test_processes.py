"""Two processes make the steps that one makes of the same excerpts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.training.conftest import losses, tones
from torch import Tensor

WORKER = Path(__file__).with_name("worker.py")
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of ``worker.py``, by one process in ``one/`` and by two in ``two/``; what was said beside."""
    folder = tmp_path_factory.mktemp("processes")
    tones(folder / "db")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    for name, launch in (("one", ()), ("two", LAUNCH)):
        command = [sys.executable, *launch, str(WORKER), str(folder / "db"), str(folder / name)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        (folder / f"{name}.txt").write_text(done.stdout + done.stderr)
    return folder


def _kept(runs: Path, who: str, name: str, step: int) -> dict[str, Tensor]:
    content = torch.load(runs / who / name / f"checkpoints/step_{step}.ckpt", weights_only=True)
    state: dict[str, Tensor] = content["state_dict"]
    return state


def test_two_processes_learn_what_one_learns(runs: Path) -> None:
    assert json.loads((runs / "two/phases/run.json").read_text())["processes"] == 2
    one, two = (losses(runs / who / "phases/records.jsonl") for who in ("one", "two"))
    assert sorted(one) == sorted(two) == [1, 2, 3, 4, 5, 6]
    assert one[1] == pytest.approx(two[1], rel=1e-5)
    for step, told in one.items():
        assert told == pytest.approx(two[step], rel=2e-3), step


def test_codes_of_two_processes_are_those_of_one_with_both_halves(runs: Path) -> None:
    one, two = (_kept(runs, who, "codes", 1) for who in ("one", "two"))
    learnt = [name for name in one if "_codebook." in name]
    assert len(learnt) == 8
    for name in learnt:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6, msg=name)
    assert all(float(one[name].abs().sum()) > 0 for name in learnt)


@pytest.mark.parametrize("name", ["codes", "statistics"])
def test_all_processes_end_with_the_same_model(runs: Path, name: str) -> None:
    first, second = (torch.load(runs / f"two/{name}{place}.pt", weights_only=True) for place in range(2))
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def test_statistics_of_batches_are_the_means_over_processes(runs: Path) -> None:
    one, two = (_kept(runs, who, "statistics", 1) for who in ("one", "two"))
    means = [name for name in one if name.endswith("running_mean")]
    assert means and any(float(one[name].abs().max()) > 0 for name in means)
    first = means[0]  # what comes after it depends on how a batch is normalised: half of it, or all
    torch.testing.assert_close(two[first], one[first], rtol=1e-4, atol=1e-7)


def test_the_processes_take_leave_of_each_other(runs: Path) -> None:
    said = (runs / "two.txt").read_text()
    assert said.count("connected at the end: False") == 2 and "connected at the end: True" not in said
    assert "destroy" not in said
