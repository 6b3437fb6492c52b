"""``torchbend check``: a table, or JSON; status 0, 1 for a failure, 2 for what it will not run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from tests.export_check.modules import Echo, saved
from torch import Tensor
from typer.testing import CliRunner

from torchbend.cli.main import app


class Short(Echo):
    def forward(self, x: Tensor) -> Tensor:
        return x[..., 1:]


def program(*words: object) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, words)])


def test_a_file_that_is_ready(tmp_path: Path) -> None:
    result = program(saved(Echo(), tmp_path / "echo.ts"), "--blocks", 64, "--blocks", 512, "--rate", 1000)
    assert result.exit_code == 0, result.output
    for said in (
        "forward",
        "gain",
        "0 to 2",
        "at 1000 Hz",
        "real-time factor",
        "latency ms",
        "CPU %",
        "ready, 0 fail",
    ):
        assert said in result.stdout
    assert "44100" not in result.stdout


def test_foreign_code_is_not_run_without_a_word(tmp_path: Path) -> None:
    path = saved(Short(), tmp_path / "foreign.ts", mark=False)
    result = program(path)
    assert result.exit_code == 2 and result.stdout == ""
    assert "--trust" in result.stderr and "nothing of it has been run" in result.stderr
    trusted = program(path, "--trust", "--blocks", 64)
    assert trusted.exit_code == 1
    assert "failure: it returns another" in trusted.stdout and "not ready" in trusted.stdout


def test_a_report_in_json(tmp_path: Path) -> None:
    result = program(saved(Short(), tmp_path / "short.ts"), "--blocks", 64, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["ok"] is False and report["structure"]["ours"] is True
    assert {finding["part"] for finding in report["findings"] if finding["level"] == "failure"} >= {"blocks"}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("gone.ts",), 1, "no such file"),
        (("gone.ts", "--blocks", "100"), 2, "powers of two"),
        (("gone.ts", "--rate", "0"), 2, "--rate"),
        (("gone.ts", "--timeout", "0"), 2, "positive"),
        ((), 2, "FILE"),
    ],
)
def test_mistakes_are_told(words: tuple[str, ...], status: int, said: str) -> None:
    result = program(*words)
    assert result.exit_code == status
    assert said in " ".join(result.stderr.replace("│", " ").split()) and "Traceback" not in result.output


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "model.ts").write_bytes(b"nothing")
    result = program(tmp_path / "model.ts")
    assert result.exit_code == 1 and "no TorchScript archive" in result.stdout


def test_help_does_not_wait_for_torch() -> None:
    code = (
        "import sys\nfrom torchbend.cli.main import main\nsys.argv = ['torchbend', 'check', '--help']\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "False" and "--trust" in answer.stdout
