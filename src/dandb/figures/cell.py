"""The notebook that a program runs in, if it does, and the end of its running cell."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Shell", "running_shell"]

_TEXT_ONLY = ("InteractiveShell", "TerminalInteractiveShell")
"""IPython's shells that show no pictures."""


class Shell:
    """A notebook's shell.

    Args:
        shell: IPython's.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def is_in_a_cell(self) -> bool:
        """Whether a cell runs; what a button or a slider calls runs between cells."""
        get_parent = getattr(getattr(self._shell, "kernel", None), "get_parent", None)
        if get_parent is None:
            return True
        kind = get_parent().get("header", {}).get("msg_type", "execute_request")
        return bool(kind == "execute_request")

    def at_end_of_cell(self, call: Callable[[], None]) -> None:
        """Call something once, when the running cell has ended, with an error or without."""
        events = self._shell.events

        def once(*_: object) -> None:
            events.unregister("post_run_cell", once)
            call()

        events.register("post_run_cell", once)

    def draw_at_end_of_cell(self, draw: Callable[[], None]) -> None:
        """Draw something when the running cell has ended, or before what `draw_waiting` is called for."""
        waiting = _Waiting(self._shell.events, draw)
        self._shell.events.register("post_run_cell", waiting)

    def draw_waiting(self) -> None:
        """Draw what waits for the end of the cell now, in the order in which it was made."""
        for call in list(self._shell.events.callbacks["post_run_cell"]):
            if isinstance(call, _Waiting):
                call()


class _Waiting:
    """A drawing that waits for the end of a cell.

    Args:
        events: of IPython's shell.
        draw: draws it.
    """

    def __init__(self, events: Any, draw: Callable[[], None]) -> None:
        self._events, self._draw = events, draw

    def __call__(self, *_: object) -> None:
        self._events.unregister("post_run_cell", self)
        self._draw()


def running_shell() -> Shell | None:
    """The notebook's shell, or ``None`` in a program, in a terminal, and where IPython is not loaded."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return None if shell is None or type(shell).__name__ in _TEXT_ONLY else Shell(shell)
