"""How much sound there is, by format."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from torchbend.corpus.decoding import probe
from torchbend.corpus.files import FoundFile
from torchbend.corpus.reasons import reason
from torchbend.display.progress import tracked
from torchbend.errors import TorchbendError

__all__ = ["Duration", "Measured", "in_words", "measure", "totals"]

_AT_ONCE = 8
"""Files that are looked into at once: most of it is waiting for the disk."""


@dataclass(frozen=True)
class Measured:
    """The length of one file.

    Args:
        file: which.
        seconds: its length; 0 where it cannot be read.
        trouble: why it cannot be read; empty where it can.
    """

    file: FoundFile
    seconds: float
    trouble: str = ""


@dataclass(frozen=True)
class Duration:
    """The length of all files of one format.

    Args:
        suffix: the format, as ``.wav``; empty for all formats together.
        files: how many can be read.
        seconds: their length.
    """

    suffix: str
    files: int
    seconds: float

    def text(self) -> str:
        """Two lines: how many there are, and how long they are together.

        >>> print(Duration(".wav", 4, 772.9).text())
        found 4 .wav files
        total duration: 0h 12m 52s
        """
        kind = f"{self.suffix} " if self.suffix else ""
        files = "file" if self.files == 1 else "files"
        return f"found {self.files} {kind}{files}\ntotal duration: {in_words(self.seconds)}"


def measure(files: Sequence[FoundFile], progress: bool | None = None) -> list[Measured]:
    """Look into each file, several at once, for its length.

    Args:
        files: in the order in which they are given back.
        progress: whether to show a bar on stderr; None shows it on a terminal, where it takes long.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        under_way = [pool.submit(_measured, file) for file in files]
        return [one.result() for one in tracked(under_way, "measuring", progress)]


def totals(measured: Sequence[Measured]) -> list[Duration]:
    """Count and length of each format, in the order of the formats' names; without what cannot be read."""
    by_suffix: dict[str, list[float]] = {}
    for one in measured:
        if not one.trouble:
            by_suffix.setdefault(one.file.suffix, []).append(one.seconds)
    return [Duration(suffix, len(by_suffix[suffix]), sum(by_suffix[suffix])) for suffix in sorted(by_suffix)]


def in_words(seconds: float) -> str:
    """Hours, minutes and whole seconds.

    >>> in_words(37872.4)
    '10h 31m 12s'
    """
    whole = int(seconds)
    return f"{whole // 3600}h {whole // 60 % 60}m {whole % 60}s"


def _measured(file: FoundFile) -> Measured:
    try:
        return Measured(file, probe(file.path).seconds)
    except TorchbendError as error:
        return Measured(file, 0.0, reason(error))
