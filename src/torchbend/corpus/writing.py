"""Writing a corpus: samples first, brought to the disk, then the line that makes them exist."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from torchbend.corpus.layout import (
    BYTES_OF_SAMPLE,
    Entry,
    Header,
    header_path,
    index_path,
    latest,
    lost,
    read_entries,
    read_header,
    samples_path,
    whole_lines,
)
from torchbend.corpus.locking import lock
from torchbend.errors import CorpusError

__all__ = ["CorpusWriter", "as_stored", "sample_file"]

_PATIENCE = 10.0
"""Seconds to wait for a worker of a run that was killed; it ends by itself within a moment."""


class CorpusWriter:
    """A corpus that is being made or extended. One at a time may hold it; use it in a ``with`` block.

    Args:
        path: the folder, made where it is not there.
        sample_rate: in Hz.
        channels: 1 or more.
        lazy: whether the index only names sound files.

    Attributes:
        entries: what counts for each name, refused files too.
        ends: the first free frame of each file of samples.

    Raises:
        CorpusError: the folder holds a corpus of another rate, other channels or the other kind; another
            process writes to it; or it cannot be written.

    >>> import tempfile
    >>> from torchbend.corpus.store import Corpus
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with CorpusWriter(folder, 44100, 1) as writer:
    ...         writer.append("a", np.zeros((1, 441), np.float32))
    ...     Corpus.open(folder).seconds
    0.01
    """

    def __init__(
        self, path: str | os.PathLike[str], sample_rate: int, channels: int, lazy: bool = False
    ) -> None:
        self.path = Path(path)
        self.header = Header(sample_rate, channels, lazy)
        if sample_rate < 1 or channels < 1:
            raise CorpusError(
                "no corpus is like this",
                site=str(path),
                wanted="a sample rate and channels above 0",
                got=self.header,
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._index: IO[bytes] = index_path(self.path).open("ab+")
        except OSError as error:
            raise CorpusError("the corpus cannot be written", site=str(path), got=str(error)) from error
        try:
            self._take()
        except CorpusError:
            self._index.close()
            raise

    def __enter__(self) -> CorpusWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others write."""
        self._index.close()

    def record(self, entries: Iterable[Entry]) -> None:
        """Append lines to the index, for samples that are on the disk already.

        Raises:
            CorpusError: the disk does not take them.
        """
        given = list(entries)
        if not given:
            return
        try:
            self._index.write(b"".join(entry.line() for entry in given))
            _to_disk(self._index)
        except OSError as error:
            raise CorpusError(
                "the index cannot be written",
                site=self._index.name,
                got=str(error),
                next_step="make room on the disk and run again: what is there is kept",
            ) from error
        self.entries.update(latest(given))
        for file, end in _ends(given).items():
            self.ends[file] = max(self.ends.get(file, 0), end)

    def append(self, name: str, samples: NDArray[np.floating], group: str = "", source: str = "") -> None:
        """Add a sound that is in memory, or replace the one of that name.

        Args:
            name: once in the corpus.
            samples: in [-1, 1]; what lies beyond is clipped.
            group: the original sound that it was made of; by default itself.
            source: the file that it is from, for the reader.

        Shape:
            ``[channels, frames]`` with at least one frame.

        Raises:
            CorpusError: another shape, samples that are not finite, a lazy corpus, or a full disk.
        """
        shape = samples.shape
        fits = len(shape) == 2 and shape[0] == self.header.channels and shape[1] > 0
        if self.header.lazy or not fits or not np.isfinite(samples).all():
            raise CorpusError(
                "these samples cannot be stored",
                site=name,
                wanted=f"finite samples [{self.header.channels}, frames] for a corpus that is not lazy",
                got=f"{list(shape)}{', lazy' * self.header.lazy}",
            )
        start = self.ends.get(0, 0)
        with sample_file(samples_path(self.path, 0), start, self.header.channels) as file:
            file.write(as_stored(samples))
        self.record([Entry(name, source, group or name, shape[1], 0, start)])

    def _take(self) -> None:
        """Lock, check or write the header, cut a torn line, and read what is there."""
        if not lock(self._index):
            raise CorpusError(
                "another process writes to this corpus",
                site=str(self.path),
                next_step="wait for it, or give another --output",
            )
        if header_path(self.path).exists():
            self._check_header()
        else:
            self._write_header()
        self._index.seek(0)
        text = self._index.read()
        if len(whole_lines(text)) < len(text):
            self._index.truncate(len(whole_lines(text)))
            _to_disk(self._index)
        written = read_entries(self.path)
        gone = set(lost(self.path, written, self.header.channels))
        self.ends = _ends(entry for entry in written if entry not in gone)
        self.entries = latest(written)
        # Their place will be written anew: what still names it must not count any longer.
        self.record(
            Entry(e.name, e.source, e.group, rejected="lost", detail="its samples are no longer there")
            for e in self.entries.values()
            if e in gone
        )

    def _check_header(self) -> None:
        found = read_header(self.path)
        if found != self.header:
            given = f"--sr {found.sample_rate} --channels {found.channels}{' --lazy' * found.lazy}"
            raise CorpusError(
                "the folder holds a corpus of another kind",
                site=str(self.path),
                wanted=_words(self.header),
                got=_words(found),
                next_step=f"extend it with {given}, or give another --output",
            )

    def _write_header(self) -> None:
        path = header_path(self.path)
        temporary = path.with_suffix(".tmp")
        try:
            with temporary.open("wb") as file:
                file.write(self.header.text().encode())
                _to_disk(file)
            os.replace(temporary, path)
            _folder_to_disk(self.path)
        except OSError as error:
            raise CorpusError("the corpus cannot be written", site=str(path), got=str(error)) from error


@contextmanager
def sample_file(path: Path, start: int, channels: int) -> Iterator[IO[bytes]]:
    """A file of samples, open for writing at a frame; what was behind it is cut, and all is brought to disk.

    Args:
        path: the file; made where it is not there.
        start: the frame to write at.
        channels: of the corpus.

    Raises:
        CorpusError: another process holds the file, or the disk does not take the samples.
    """
    try:
        with path.open("ab") as file:
            if not lock(file, _PATIENCE):
                raise CorpusError("another process writes to these samples", site=str(path))
            file.truncate(start * channels * BYTES_OF_SAMPLE)
            yield file
            _to_disk(file)
        if start == 0:
            _folder_to_disk(path.parent)  # the file may be new
    except OSError as error:
        raise CorpusError(
            "samples cannot be written",
            site=str(path),
            got=str(error),
            next_step="make room on the disk and run again: what is there is kept",
        ) from error


def as_stored(samples: NDArray[np.floating]) -> bytes:
    """Samples rounded to the nearest 16-bit number, the channels interleaved.

    Shape:
        ``[channels, frames]``.

    >>> as_stored(np.array([[0.0, 1.0], [-1.0, 0.5]])).hex(" ", 2)
    '0000 0080 ff7f 0040'
    """
    steps = np.rint(samples.T * np.float32(32768))
    stored: bytes = np.clip(steps, -32768, 32767).astype("<i2").tobytes()
    return stored


def _ends(entries: Iterable[Entry]) -> dict[int, int]:
    ends: dict[int, int] = {}
    for entry in entries:
        if entry.file >= 0:
            ends[entry.file] = max(ends.get(entry.file, 0), entry.start + entry.frames)
    return ends


def _words(header: Header) -> str:
    kind = ", lazy" if header.lazy else ""
    return f"{header.sample_rate} Hz, {header.channels} channel(s){kind}"


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
