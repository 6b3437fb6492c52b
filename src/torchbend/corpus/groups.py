"""Which sounds are copies of one: what an augmentation left beside its results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torchbend.corpus.files import FoundFile
from torchbend.errors import CorpusError

__all__ = ["AUGMENTATION", "Groups"]

AUGMENTATION = "augmentation.json"
"""The file in which ``torchbend rave resample`` writes what each result was made of."""


class Groups:
    """Tells for each file which original it was made of, from the nearest ``augmentation.json`` above it.

    Pieces of one long sound are originals of their own: some can be held out, with their copies.
    """

    def __init__(self) -> None:
        self._sources: dict[Path, dict[str, str] | None] = {}

    def of(self, file: FoundFile) -> str:
        """The name of the original: of the file itself, where nothing tells another.

        Raises:
            CorpusError: an ``augmentation.json`` cannot be read.
        """
        folder = file.path.parent
        while True:
            sources = self._read(folder)
            if sources is not None:
                return sources.get(file.path.relative_to(folder).as_posix(), file.relative)
            if folder == file.folder:
                return file.relative
            folder = folder.parent

    def _read(self, folder: Path) -> dict[str, str] | None:
        if folder not in self._sources:
            path = folder / AUGMENTATION
            self._sources[folder] = _sources(path) if path.is_file() else None
        return self._sources[folder]


def _sources(path: Path) -> dict[str, str]:
    try:
        sounds = json.loads(path.read_text(encoding="utf-8"))["sounds"]
        return {str(name): _original(made) for name, made in sounds.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            "the list of augmented sounds cannot be read",
            site=str(path),
            got=repr(error),
            next_step="write it anew with torchbend rave resample, or delete it: copies of a sound that is "
            "held out may then be trained on",
        ) from error


def _original(made: Mapping[str, object]) -> str:
    start = made.get("start")
    return f"{made['source']} from {start:g} s" if isinstance(start, int | float) else str(made["source"])
