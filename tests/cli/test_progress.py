"""Progress is shown on a terminal and nowhere else."""

from __future__ import annotations

import io
import sys

import pytest

from torchbend.cli.steps import steps


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def work() -> None:
    with steps(2) as tell:
        tell("reading")
        tell("bending")


def test_a_file_gets_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    work()
    assert capfd.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with steps(2) as tell:
        tell("reading")
        sys.stdout.write("a table\n")
        tell("bending")
    assert "bending" in terminal.getvalue()
    assert capfd.readouterr().out == "a table\n"
