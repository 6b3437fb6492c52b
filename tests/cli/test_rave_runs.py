"""``torchbend rave runs`` and ``plot``: what stands in the folders of runs, as tables, data and figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from tests.training.test_overview import a_run, line

Program = Callable[..., Result]


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the program runs in, with the runs ``runs/new``, ``runs/old`` and ``runs/torn``."""
    second = [line(110, 60.0, 2, loss_dis=1.5), line(200, 240.0, 2, loss_dis=1.25)]
    first = [line(step, step / 2) for step in range(10, 101, 10)]
    a_run(tmp_path / "runs" / "old", [*first, {"step": 100, "validation": 9.5}, *second])
    a_run(tmp_path / "runs" / "new", first)
    log = tmp_path / "runs" / "new" / "records.jsonl"
    os.utime(log, (time.time(), time.time()))
    (tmp_path / "runs" / "torn").mkdir()
    (tmp_path / "runs" / "torn" / "run.json").write_text('{"config":')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(text: str, name: str) -> list[list[str]]:
    """The lines of a run in all tables, as words."""
    return [line.split() for line in text.splitlines() if line.split()[:1] == [name]]


def test_the_table_of_all_runs(trained: Path, program: Program) -> None:
    told = program("rave", "runs")
    assert told.exit_code == 0, told.output
    new, losses = rows(told.output, "new")
    assert "runs, moved" in " ".join(new) and new[-5:] == ["0.5", "50s", ">", "50s", "2.0%"]
    assert losses == ["new", "9"]
    done, losses = rows(told.output, "old")
    assert done[4:] == ["done", "2", "200", "200", "100.0%", "5", "2", "4m", "0s", "2.0%"]
    assert losses == ["old", "8", "1.25", "9.5", "9.5"]
    assert "\ntorn: left out: run.json or the log cannot be read" in told.output
    assert "runs: its files moved in the last 120 s" in told.output and ">: at the speed" in told.output


def test_runs_as_data_and_in_other_orders(trained: Path, program: Program) -> None:
    found = json.loads(program("rave", "runs", "runs", "--json").stdout)
    assert [run["name"] for run in found] == ["new", "old", "torn"]
    assert found[0]["left"] == pytest.approx(50.0) and found[1]["validation"] == 9.5
    by_step = json.loads(program("rave", "runs", "--json", "--sort", "step").stdout)
    assert [run["name"] for run in by_step] == ["old", "new", "torn"]
    assert json.loads(program("rave", "runs", "--json", "--sort", "validation").stdout)[0]["name"] == "old"


def test_no_run_and_no_folder(trained: Path, program: Program) -> None:
    (trained / "empty").mkdir()
    assert program("rave", "runs", "empty").stdout == "no run in empty\n"
    missing = program("rave", "runs", "nowhere")
    assert missing.exit_code == 1 and "no such folder" in missing.stderr


@pytest.mark.parametrize("kind", ["png", "svg", "html"])
def test_figures_are_written_and_broken_runs_are_told(trained: Path, program: Program, kind: str) -> None:
    words = ("--what", "all", "--against", "hours", "--dark") if kind == "html" else ()
    told = program("rave", "plot", "runs", "--out", f"f.{kind}", *words)
    assert told.exit_code == 0, told.output
    assert told.stdout == f"wrote f.{kind}: 2 runs\n" and "torn: left out" in told.stderr
    begun = (trained / f"f.{kind}").read_bytes()
    assert {"png": b"PNG", "svg": b"<svg", "html": b"plotly"}[kind] in begun


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("runs", "--out", "f.jpg"), 2, "should end in"),
        (("runs/torn", "--out", "f.png"), 1, "no run to draw"),
        (("runs/new", "--out", "f.png", "--what", "validation"), 1, "no run has a validation yet"),
        (("nowhere", "--out", "f.png"), 1, "no such folder"),
    ],
)
def test_mistakes_are_told(
    trained: Path, program: Program, words: tuple[str, ...], status: int, said: str
) -> None:
    told = program("rave", "plot", *words)
    assert told.exit_code == status and said in " ".join(told.stderr.replace("│", " ").split())
    assert not list(trained.glob("f.*"))


def test_help_does_not_wait_for_torch() -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom torchbend.cli.main import app\n"
        "for name in ('runs', 'plot'):\n    CliRunner().invoke(app, ['rave', name, '--help'])\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
