"""A progress bar below the cell of a notebook: one element of HTML, which screen readers tell too."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

__all__ = ["bar_html", "notebook_bar", "notebook_display"]

_EVERY = 0.2
"""Seconds between two drawings."""


def notebook_display() -> Any:
    """IPython's ``display`` module where the program runs in the kernel of a notebook; else None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or getattr(shell, "kernel", None) is None:
        return None
    import IPython.display

    return IPython.display


@contextmanager
def notebook_bar(
    display: Any, what: str, done: int, total: int | None, in_bytes: bool = False
) -> Iterator[Callable[[int], None]]:
    """A bar that is drawn anew while it grows, and taken away at its end.

    Args:
        display: of IPython.
        what: words in front of the bar.
        done: how much is done already.
        total: how much there is to do; None where nobody knows.
        in_bytes: whether it counts bytes.

    Yields:
        A function to be told how much was done since it was last called.
    """
    handle = display.display(display.HTML(bar_html(what, done, total, in_bytes)), display_id=True)
    held = {"done": done, "drawn": time.monotonic()}

    def advance(count: int) -> None:
        held["done"] += count
        if time.monotonic() - held["drawn"] >= _EVERY:
            held["drawn"] = time.monotonic()
            handle.update(display.HTML(bar_html(what, int(held["done"]), total, in_bytes)))

    try:
        yield advance
    finally:
        handle.update(display.HTML(""))


def bar_html(what: str, done: int, total: int | None, in_bytes: bool = False) -> str:
    """The bar as HTML.

    Example:
        >>> bar_html("birds", 2_000_000, 8_000_000, in_bytes=True)
        '<label>birds <progress value="2000000" max="8000000"></progress> 2.0 of 8.0 MB</label>'
    """
    if in_bytes:
        count = f"{done / 1e6:.1f}" + (f" of {total / 1e6:.1f} MB" if total is not None else " MB")
    else:
        count = f"{done}" + (f" of {total}" if total is not None else "")
    share = f' value="{done}" max="{total}"' if total else ""
    return f"<label>{escape(what)} <progress{share}></progress> {count}</label>"
