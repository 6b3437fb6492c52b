"""Two processes make the steps that one makes of the same excerpts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.training.conftest import losses

from torchbend.corpus.store import Corpus

WORKER = Path(__file__).with_name("worker.py")
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path: Path, corpus: Corpus) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    for name, launch, accumulate in (
        ("one", (), 2),
        ("two", LAUNCH, 1),
    ):
        given = [str(WORKER), str(corpus.path), str(tmp_path / name), str(accumulate)]
        command = [sys.executable, *launch, *given]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "two/run.json").read_text())["processes"] == 2
    one, two = (losses(tmp_path / f"{name}/records.jsonl") for name in ("one", "two"))
    assert sorted(one) == sorted(two) == [1, 2, 3, 4, 5, 6]
    assert one[1] == pytest.approx(two[1], rel=1e-5)
    for step, told in one.items():
        assert told == pytest.approx(two[step], rel=2e-3), step
