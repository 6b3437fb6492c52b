"""What was made of what: the ``augmentation.json`` of a folder of resampled sounds."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchbend.corpus.groups import AUGMENTATION
from torchbend.corpus.locking import lock
from torchbend.display.atomic import remove_halves, write_text
from torchbend.errors import CorpusError

__all__ = ["Record", "read_record", "recording"]

_VERSION = 1
_PAUSE = 5.0
"""Seconds between two writings of the record, at least."""

_SHARE = 0.02
"""Of the time, at most, that goes into writing a record that has grown long."""


def read_record(folder: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """What ``augmentation.json`` says of each file of a folder; nothing where there is none.

    Args:
        folder: that has been filled by resampling.

    Returns:
        For the name of each file, relative to the folder and with slashes: ``source``, ``copy``, what was
        done to it, and how long it is.

    Raises:
        CorpusError: the record cannot be read.
    """
    path = Path(folder) / AUGMENTATION
    if not path.exists():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        sounds = told["sounds"] if told["version"] == _VERSION else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _no_record(path, error) from error
    if not isinstance(sounds, dict) or not all(isinstance(entry, dict) for entry in sounds.values()):
        raise _no_record(path, "something else")
    return sounds


def _no_record(path: Path, got: object) -> CorpusError:
    return CorpusError(
        "the record of resampled sounds cannot be read",
        site=str(path),
        wanted=f'{{"version": {_VERSION}, "sounds": ...}}',
        got=got,
        next_step="choose another output folder, or delete this one",
    )


@dataclass
class Record:
    """The record of a folder that is being filled.

    Args:
        path: of ``augmentation.json``.
        sounds: an entry for the name of each file.
    """

    path: Path
    sounds: dict[str, dict[str, Any]]
    _next: float = 0.0

    def write(self, rejected: Mapping[str, str]) -> None:
        """Write the record.

        Args:
            rejected: why, for the name of each source that was not converted.

        Raises:
            OSError: it cannot be written.
        """
        begun = time.monotonic()
        content = {
            "version": _VERSION,
            "sounds": dict(sorted(self.sounds.items())),
            "rejected": dict(sorted(rejected.items())),
        }
        write_text(self.path, json.dumps(content, indent=1) + "\n")
        ended = time.monotonic()
        self._next = ended + max(_PAUSE, (ended - begun) / _SHARE)

    def write_now_and_then(self, rejected: Mapping[str, str]) -> None:
        """The same, unless it was just written."""
        if time.monotonic() >= self._next:
            self.write(rejected)


@contextmanager
def recording(folder: Path, files: Iterable[Path]) -> Iterator[Record]:
    """The record of an output folder, to which no other run writes in the meantime.

    What a killed run has left half written is removed.

    Args:
        folder: made where it is not there.
        files: what is going to be written.

    Raises:
        CorpusError: some of the files are there and were not made by resampling, another run writes to the
            folder, or it cannot be written.
    """
    path = folder / AUGMENTATION
    foreign = None if path.exists() else next((file for file in files if os.path.lexists(file)), None)
    if foreign is not None:
        raise CorpusError(
            "the output folder holds files that were not made by resampling",
            site=str(foreign),
            wanted="an empty folder, or one of an earlier run",
            next_step="choose another --output",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f".{AUGMENTATION}.lock", "wb") as held:
            if not lock(held):
                raise CorpusError("another run writes to this folder", site=str(folder))
            remove_halves(folder, ".wav")
            record = Record(path, read_record(folder))
            record.write({})
            yield record
    except OSError as error:
        raise CorpusError("the folder cannot be written", site=str(folder), got=str(error)) from error
