"""A progress bar for long work, on a terminal or where it is asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

__all__ = ["tracked"]

T = TypeVar("T")

_PATIENCE = 1.0
"""Seconds of work before a bar appears that nobody asked for."""


def tracked(items: Iterable[T], what: str, progress: bool | None = None) -> Iterator[T]:
    """The items one by one, with a bar on stderr that counts them.

    Args:
        items: anything that can be iterated; its length is shown where it has one.
        what: words in front of the bar.
        progress: True shows the bar at once, False never; None shows it on a terminal, when the work
            takes longer than a second.

    >>> list(tracked([1, 2], "adding", progress=False))
    [1, 2]
    """
    if progress is False or (progress is None and not sys.stderr.isatty()):
        yield from items
        return
    patience = 0.0 if progress else _PATIENCE
    iterator, begun, done = iter(items), time.monotonic(), 0
    while time.monotonic() - begun < patience:
        try:
            item = next(iterator)
        except StopIteration:
            return
        yield item
        done += 1
    yield from _with_bar(iterator, what, done, len(items) if isinstance(items, Sized) else None)


def _with_bar(items: Iterator[T], what: str, done: int, total: int | None) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total, completed=done)
        for item in items:
            yield item
            bar.advance(task)
