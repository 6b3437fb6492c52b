"""Mistakes are told on stderr in words: 2 where the words of the command are wrong, 1 for all else."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result

Program = Callable[..., Result]
NET = "net_for_cli.py:Net"
RANDOM = ("-i", "random:1,1,9")
OUT = ("-o", "out.safetensors")
BEND = ("-b", "Scale(2)@first.*")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("inspect", "net_for_cli"), "names no factory"),
        (("inspect", NET, "--graph"), "give an --input"),
        (("inspect", NET, "--arg", "height=3"), "unexpected keyword argument 'height'"),
        (("inspect", NET, "--arg", "width=open('x')"), "not understood"),
        (("inspect", NET, "-i", "whatever"), "no input"),
        (("inspect", NET, "-i", "random:1,-1"), "no input"),
        (("inspect", NET, "-i", "random:99999,99999,99999"), "too many elements"),
        (("bend", NET, *RANDOM), "--out"),
        (("bend", NET, *OUT), "give an --input"),
        (("bend", NET, *RANDOM, "-o", "out.txt"), "should end in"),
        (("bend", NET, *RANDOM, *OUT, "-b", "Scale(2)"), "names no site"),
        (("bend", NET, *RANDOM, *OUT, "-b", "Scale(@first"), "cannot be read"),
        (("bend", NET, *RANDOM, *OUT, "-b", "Nothing(2)@first"), "no callback 'Nothing'"),
        (("bend", NET, *RANDOM, *OUT, "-b", "Scale(size=2)@first"), "it is Scale(scale=1.0)"),
        (("bend", NET, *RANDOM, *OUT, "-b", "Lambda(1)@first"), "from Python"),
        (("activations", NET, "sin", *RANDOM), "--out"),
        (("activations", NET, "sin", *RANDOM, "-o", "a.wav"), "should end in .safetensors"),
        (("dance",), "dance"),
    ],
)
def test_wrong_words_are_told_with_status_2(
    folder: Path, program: Program, words: tuple[str, ...], said: str
) -> None:
    result = program(*words)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("inspect", "nowhere_at_all:Net"), "could not be imported"),
        (("inspect", "nowhere.py:Net"), "no such file"),
        (("inspect", "net_for_cli.py:Nets"), "has no 'Nets'"),
        (("inspect", "net_for_cli.py:broken"), "no weights today"),
        (("inspect", "net_for_cli.py:number"), "gave no model"),
        (("inspect", NET, "-w", "gone.pt"), "no such file"),
        (("inspect", NET, "-w", "in.wav"), "damaged"),
        (("inspect", NET, "-w", "w.pt", "--arg", "width=5"), "(5, 1, 3) here, (4, 1, 3) in the file"),
        (("inspect", NET, "-w", "x.safetensors"), "do not fit"),
        (("inspect", NET, "-i", "random:1,7,9"), "does not run with these inputs"),
        (("inspect", NET, "-i", "gone.wav"), "no such file"),
        (("inspect", NET, "-i", "w.pt"), "one tensor is wanted"),
        (("inspect", NET, "-i", "x.safetensors:y"), "no tensor 'y'"),
        (("inspect", NET, *RANDOM, "--call", "decode"), "decode"),
        (("bend", NET, *RANDOM, *OUT, "-b", "Scale(2)@nothing"), "nothing"),
        (("bend", NET, *RANDOM, *BEND, "-o", "out.wav"), "sample rate"),
        (("bend", NET, *RANDOM, *OUT, "-r", "gone.json"), "gone.json"),
        (("activations", NET, "cosine", *RANDOM, "--stats"), "cosine"),
    ],
)
def test_what_cannot_be_had_is_told_with_status_1(
    folder: Path, program: Program, words: tuple[str, ...], said: str
) -> None:
    result = program(*words)
    assert result.exit_code == 1, result.output
    assert said in result.stderr
    assert result.stderr.startswith("torchbend: ")
    assert "Traceback" not in result.output


def test_debug_shows_where_an_error_arose(folder: Path, program: Program) -> None:
    result = program("inspect", "net_for_cli.py:broken", "--debug")
    assert result.exception is not None and result.exception.__cause__ is not None
    assert str(result.exception.__cause__) == "no weights today"


class Hostile:
    """Unpickling this would make a folder."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("marker",)


def test_hostile_weights_and_inputs_do_nothing(folder: Path, program: Program) -> None:
    torch.save({"state_dict": Hostile()}, "hostile.pt")
    (folder / "plain.pt").write_bytes(pickle.dumps(Hostile(), 2))
    for name in ("hostile.pt", "plain.pt"):
        for words in (("-w", name), ("-i", name)):
            result = program("inspect", NET, *words)
            assert result.exit_code == 1
            assert "without running code" in result.stderr and "mkdir" in result.stderr
    assert not (folder / "marker").exists()


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The program as a process of its own."""
    command = [sys.executable, "-c", "from torchbend.cli.main import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_process_ends_with_the_status_and_no_traceback(folder: Path) -> None:
    assert run("--version").stdout.startswith("torchbend ")
    failed = run("inspect", "net_for_cli.py:Net", "-w", "gone.pt")
    assert failed.returncode == 1 and failed.stdout == ""
    assert "no such file" in failed.stderr and "Traceback" not in failed.stderr
    shown = run("inspect", "net_for_cli.py:Net", "-w", "gone.pt", "--debug")
    assert shown.returncode == 1 and "Traceback" in shown.stderr
    assert run("dance").returncode == 2
    fine = run("inspect", "net_for_cli:Net", "-w", "w.pt")
    assert fine.returncode == 0 and "first.weight" in fine.stdout and fine.stderr == ""


@pytest.mark.parametrize("words", [(), ("inspect",), ("bend",), ("activations",), ("demo",)])
def test_help_does_not_wait_for_torch(words: tuple[str, ...]) -> None:
    program = (
        "import sys\nfrom torchbend.cli.main import main\n"
        f"sys.argv = ['torchbend', *{words!r}, '--help']\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules)\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "False"
    assert "Usage: torchbend" in answer.stdout
