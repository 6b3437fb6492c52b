"""Run cells as a notebook does, with its magics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


class Notebook:
    """A session in which cells run, unchanged.

    Args:
        shell: IPython's.
        capture: pytest's capture of what is printed.
    """

    def __init__(self, shell: Any, capture: pytest.CaptureFixture[str]) -> None:
        self._shell = shell
        self._capture = capture

    @property
    def variables(self) -> dict[str, Any]:
        """What the cells have bound."""
        held: dict[str, Any] = self._shell.user_ns
        return held

    def run(self, cell: str) -> str:
        """Run a cell; gives what it printed, and raises what it raised."""
        self._capture.readouterr()
        result = self._shell.run_cell(cell)
        result.raise_error()
        return self._capture.readouterr().out


@contextmanager
def session(capture: pytest.CaptureFixture[str]) -> Iterator[Notebook]:
    """A new session."""
    shells = pytest.importorskip("IPython.core.interactiveshell")
    shell = shells.InteractiveShell()
    try:
        yield Notebook(shell, capture)
    finally:
        shell.history_manager.end_session()
        shell.clear_instance()
