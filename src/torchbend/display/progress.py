"""A progress bar for long work, on a terminal, in a notebook, or where it is asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, TypeVar

from torchbend.display.notebook_bar import notebook_bar, notebook_display

__all__ = ["counting_bytes", "tracked"]

T = TypeVar("T")

_PATIENCE = 1.0
"""Seconds of work before a bar appears that nobody asked for."""


def tracked(items: Iterable[T], what: str, progress: bool | None = None) -> Iterator[T]:
    """The items one by one, with a bar that counts them: on stderr, or below the cell of a notebook.

    Args:
        items: anything that can be iterated; its length is shown where it has one.
        what: words in front of the bar.
        progress: True shows the bar at once, False never; None shows it on a terminal and in a notebook, when
            the work takes longer than a second.

    >>> list(tracked([1, 2], "adding", progress=False))
    [1, 2]
    """
    if not _watched(progress):
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
    with _bar(what, done, len(items) if isinstance(items, Sized) else None) as advance:
        for item in iterator:
            yield item
            advance(1)


@contextmanager
def counting_bytes(
    what: str, total: int, done: int = 0, progress: bool | None = None
) -> Iterator[Callable[[int], None]]:
    """A bar for bytes that arrive.

    Args:
        what: words in front of the bar.
        total: how many there will be.
        done: how many there are already.
        progress: as of `tracked`, without a second of patience.

    Yields:
        A function to be told how many have arrived since it was last called.
    """
    if not _watched(progress):
        yield lambda count: None
        return
    with _bar(what, done, total, in_bytes=True) as advance:
        yield advance


def _watched(progress: bool | None) -> bool:
    """Whether a bar is wanted, or somebody is there to see one."""
    if progress is not None:
        return progress
    return sys.stderr.isatty() or notebook_display() is not None


@contextmanager
def _bar(what: str, done: int, total: int | None, in_bytes: bool = False) -> Iterator[Callable[[int], None]]:
    display = notebook_display()
    if display is not None:
        with notebook_bar(display, what, done, total, in_bytes) as advance:
            yield advance
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(*_columns(what, in_bytes), console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total, completed=done)
        yield lambda count: bar.advance(task, count)


def _columns(what: str, in_bytes: bool) -> list[Any]:
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    count = DownloadColumn() if in_bytes else MofNCompleteColumn()
    return [TextColumn(what, markup=False), BarColumn(), count, TimeRemainingColumn()]
