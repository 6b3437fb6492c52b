"""How a corpus lies on disk: the header, the lines of the index, the names of its files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from torchbend.errors import CorpusError

__all__ = [
    "BYTES_OF_SAMPLE",
    "Entry",
    "Header",
    "header_path",
    "index_path",
    "latest",
    "lost",
    "read_entries",
    "read_header",
    "samples_path",
    "whole_lines",
]

FORMAT = "torchbend corpus"
VERSION = 1
BYTES_OF_SAMPLE = 2


@dataclass(frozen=True)
class Header:
    """What holds for all sounds of a corpus.

    Args:
        sample_rate: in Hz.
        channels: 1 or more.
        lazy: whether the index names sound files that are decoded at each read, instead of samples.
    """

    sample_rate: int
    channels: int
    lazy: bool = False

    def text(self) -> str:
        """The header as it is written."""
        return json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=1) + "\n"


class Entry(NamedTuple):
    """One line of the index: a sound, or a file that was refused.

    Args:
        name: of the sound, once in a corpus; a later line of the same name replaces an earlier one.
        source: the file that it was read from, as an absolute path.
        group: the original sound that it was made of.
        frames: samples of each channel at the rate of the corpus; 0 for a refused file.
        file: number of the file that holds the samples; -1 where none does.
        start: where they begin in it, in frames.
        size: of the source when it was read, in bytes.
        modified: when the source was last changed before that, in nanoseconds.
        clipped: how many samples touch full scale in runs, a sign that the recording was too loud.
        rejected: why the file was refused, in a word; empty where it was not.
        detail: the same in a sentence.
    """

    name: str
    source: str
    group: str
    frames: int = 0
    file: int = -1
    start: int = 0
    size: int = 0
    modified: int = 0
    clipped: int = 0
    rejected: str = ""
    detail: str = ""

    def line(self) -> bytes:
        """The entry as a line of the index; what has its default is left out."""
        defaults = self._field_defaults
        given = {name: value for name, value in self._asdict().items() if value != defaults.get(name)}
        return json.dumps(given, separators=(",", ":")).encode() + b"\n"


def header_path(folder: Path) -> Path:
    """Where the header of a corpus is."""
    return folder / "corpus.json"


def index_path(folder: Path) -> Path:
    """Where the index of a corpus is."""
    return folder / "index.jsonl"


def samples_path(folder: Path, file: int) -> Path:
    """Where the samples of the entries with this number are."""
    return folder / f"samples-{file:04d}.i16"


def read_header(folder: Path) -> Header:
    """The header of the corpus in a folder.

    Raises:
        CorpusError: there is none, it is damaged, or of a later version.
    """
    path = header_path(folder)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _absent(folder) from error
    except (OSError, ValueError) as error:
        raise CorpusError("the corpus cannot be read", site=str(path), got=str(error)) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise CorpusError("this is no corpus", site=str(path), wanted=f'"format": "{FORMAT}"')
    if found.get("version") != VERSION:
        raise CorpusError(
            "the corpus is of another version",
            site=str(path),
            wanted=VERSION,
            got=found.get("version"),
            next_step="upgrade torchbend, or preprocess the sounds again into another folder",
        )
    try:
        header = Header(int(found["sample_rate"]), int(found["channels"]), bool(found["lazy"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CorpusError("the corpus is damaged", site=str(path), got=repr(error)) from error
    if header.sample_rate < 1 or header.channels < 1:
        raise CorpusError("the corpus is damaged", site=str(path), got=header)
    return header


def _absent(folder: Path) -> CorpusError:
    original = (folder / "data.mdb").exists()
    return CorpusError(
        "there is no corpus in this folder",
        site=str(folder),
        wanted="a folder that torchbend rave preprocess made",
        got="an LMDB database of another program" if original else None,
        next_step=f"torchbend rave preprocess --input SOUNDS --output {folder}{'-new' * original}",
    )


def whole_lines(text: bytes) -> bytes:
    """An index without its last line, where a kill left that incomplete.

    >>> whole_lines(b'{"name":"a"}' + bytes([10]) + b'{"na')
    b'{"name":"a"}\\n'
    """
    return text[: text.rfind(b"\n") + 1]


def read_entries(folder: Path) -> list[Entry]:
    """All lines of the index, in the order in which they were written.

    Raises:
        CorpusError: a line cannot be read.
    """
    path = index_path(folder)
    try:
        text = whole_lines(path.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CorpusError("the index cannot be read", site=str(path), got=str(error)) from error
    lines = text.splitlines()
    try:
        return [Entry(**found) for found in json.loads(b"[" + b",".join(lines) + b"]")]
    except (ValueError, TypeError):
        return list(_one_by_one(lines, path))


def _one_by_one(lines: list[bytes], path: Path) -> Iterator[Entry]:
    """The entries of an index in which some line is damaged.

    Raises:
        CorpusError: names the line.
    """
    for number, line in enumerate(lines, start=1):
        try:
            yield Entry(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise CorpusError(
                "a line of the index is damaged",
                site=f"{path}, line {number}",
                got=line[:80].decode(errors="replace"),
                next_step="delete the line, and preprocess again: what it named is then read anew",
            ) from error


def latest(entries: list[Entry]) -> dict[str, Entry]:
    """The entry that counts for each name: the last one."""
    return {entry.name: entry for entry in entries}


def lost(folder: Path, entries: list[Entry], channels: int) -> list[Entry]:
    """The entries whose samples are not, or not all, in the files that should hold them."""
    sizes: dict[int, int] = {}
    for file in {entry.file for entry in entries if entry.file >= 0}:
        try:
            size = os.stat(samples_path(folder, file)).st_size
        except OSError:
            size = 0
        sizes[file] = size // (BYTES_OF_SAMPLE * channels)
    return [e for e in entries if e.file >= 0 and e.start + e.frames > sizes[e.file]]
