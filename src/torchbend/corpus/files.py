"""Finding the sound files of folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torchbend.errors import CorpusError

__all__ = ["SUFFIXES", "FoundFile", "find_sounds"]

SUFFIXES = frozenset(
    [".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".caf", ".flac", ".m4a", ".m4b", ".mka"]
    + [
        ".mov",
        ".mp2",
        ".mp3",
        ".mp4",
        ".mpc",
        ".oga",
        ".ogg",
        ".opus",
        ".rf64",
        ".snd",
        ".voc",
        ".w64",
        ".wav",
    ]
    + [".webm", ".wma", ".wv"]
)
"""What sound files are called, in small letters."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A sound file.

    Args:
        path: where it is.
        folder: the folder that was searched; for a file that was named itself, the one that it lies in.
        size: in bytes.
        modified: when it was last changed, in nanoseconds.
    """

    path: Path
    folder: Path
    size: int
    modified: int

    @property
    def relative(self) -> str:
        """The path from the folder on, with slashes."""
        return self.path.relative_to(self.folder).as_posix()

    @property
    def suffix(self) -> str:
        """The format by name, in small letters, as ``.wav``."""
        return self.path.suffix.lower()


def find_sounds(
    places: Sequence[str | os.PathLike[str]], suffixes: Iterable[str] | None = None
) -> list[FoundFile]:
    """All sound files in folders and the folders in them, in the order of their paths.

    Hidden files and folders are left out. Links are followed, each folder is searched once.

    Args:
        places: folders, or sound files themselves.
        suffixes: what counts as a sound file, as ``.wav`` or ``wav``; by default what usually is one.

    Raises:
        CorpusError: a place does not exist, or there is no sound file.
    """
    known = SUFFIXES if suffixes is None else {f".{s.lower().lstrip('.')}" for s in suffixes}
    found: dict[Path, FoundFile] = {}
    seen: set[Path] = set()
    for place in places:
        root = Path(os.path.abspath(place))
        if not root.exists():
            raise CorpusError(
                "there is no such folder", site=str(place), wanted="a folder of sounds, or a sound file"
            )
        files = [root] if root.is_file() else _sounds_below(root, known, seen)
        folder = root.parent if root.is_file() else root
        for path in files:
            facts = path.stat()
            found.setdefault(path, FoundFile(path, folder, facts.st_size, facts.st_mtime_ns))
    if not found:
        raise CorpusError(
            "there is no sound file",
            site=", ".join(map(str, places)) or "no folder",
            wanted="files that end in " + ", ".join(sorted(known)),
            next_step="give another folder" if suffixes is None else "give other --ext",
        )
    return [found[path] for path in sorted(found)]


def _sounds_below(root: Path, known: Iterable[str], seen: set[Path]) -> Iterator[Path]:
    for folder, below, names in os.walk(root, followlinks=True):
        real = Path(os.path.realpath(folder))
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in names:
            path = Path(folder, name)
            if path.suffix.lower() in known and not name.startswith(".") and path.is_file():
                yield path
