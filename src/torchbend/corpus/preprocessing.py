"""From folders of sound files to a corpus: in parallel, going on where a run before was ended."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from torchbend.corpus.files import FoundFile, find_sounds
from torchbend.corpus.groups import Groups
from torchbend.corpus.ingest import Limits, Task, ingest
from torchbend.corpus.layout import Entry, lost
from torchbend.corpus.report import Report
from torchbend.corpus.workers import unordered
from torchbend.corpus.writing import CorpusWriter
from torchbend.display.progress import tracked
from torchbend.errors import CorpusError

__all__ = ["preprocess"]

_BATCH_FILES = 64
_BATCH_BYTES = 64_000_000
"""At most so much is lost by a kill, for each worker."""

_WORTH = 32_000_000
"""Bytes of sound files that another process is worth: it takes a second to begin."""


def preprocess(
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    sample_rate: int = 44_100,
    channels: int = 1,
    lazy: bool = False,
    limits: Limits | None = None,
    workers: int = 1,
    ray: bool = False,
    suffixes: Sequence[str] | None = None,
    progress: bool | None = None,
) -> Report:
    """Take the sounds of folders into a corpus, which is made or extended.

    What the corpus holds already is skipped; a file that has changed since is read anew; refused files are
    tried again. The corpus is the same however many workers there are and however often a run was killed.

    Args:
        inputs: folders, or sound files.
        output: folder of the corpus.
        sample_rate: in Hz; all sounds are resampled to it.
        channels: 1 or more; fewer than a file's are made by mean, more by repetition.
        lazy: only list the files, and decode them at each read.
        limits: what a sound must have.
        workers: processes that work at once, at least 1.
        ray: work on the machines of a ray cluster, which all see inputs and output under the same names.
        suffixes: what counts as a sound file, as ``wav``.
        progress: whether to show a bar on stderr; None shows it on a terminal, where it takes long.

    Raises:
        CorpusError: there is nothing to read, two files would have the same name, or the output cannot be
            written or is a corpus of another kind.
        MissingExtraError: ``ray`` is wanted and not installed.
    """
    if workers < 1:
        raise CorpusError("nobody would work", site="workers", wanted="1 or more", got=workers)
    begun = time.monotonic()
    sounds = _as_entries(find_sounds(inputs, suffixes))
    with CorpusWriter(Path(output).resolve(), sample_rate, channels, lazy) as writer:
        before = dict(writer.entries)
        wanted = [sound for sound in sounds if not _is_there(sound, before.get(sound.name), lazy)]
        intake = _Intake(writer, wanted, limits or Limits(), workers, ray)
        for _ in tracked(intake, "preprocessing", progress):
            pass
        report = Report.of(writer, before, sounds, wanted, time.monotonic() - begun)
    report.write()
    return report


class _Intake:
    """Files on their way into a corpus; each is yielded when the corpus holds it, or has refused it."""

    def __init__(
        self, writer: CorpusWriter, sounds: Sequence[Entry], limits: Limits, workers: int, ray: bool
    ) -> None:
        self.writer, self.sounds, self.limits, self.ray = writer, sounds, limits, ray
        worth = 1 + sum(sound.size for sound in sounds) // _WORTH
        self.workers = min(workers, len(sounds) if ray else worth) or 1
        self.batches = _batches(sounds, self.workers)
        self.free = list(range(self.workers))

    def __len__(self) -> int:
        return len(self.sounds)

    def __iter__(self) -> Iterator[Entry]:
        writer = self.writer
        for file, entries in unordered(ingest, self._tasks(), self.workers, self.ray):
            if self.ray and lost(writer.path, entries, writer.header.channels):
                raise CorpusError(
                    "what the cluster wrote is not here",
                    site=str(writer.path),
                    next_step="give an --output that all machines of the cluster see under the same name",
                )
            writer.record(entry for entry in entries if entry != writer.entries.get(entry.name))
            self.free.append(file)
            yield from entries

    def _tasks(self) -> Iterator[Task]:
        """Tasks, each for a file of samples that no other task writes at the same time."""
        writer = self.writer
        for batch in self.batches:
            file = self.free.pop()
            yield Task(writer.path, writer.header, self.limits, file, writer.ends.get(file, 0), tuple(batch))


def _batches(sounds: Sequence[Entry], workers: int) -> list[list[Entry]]:
    """The sounds in tasks: large files first, so that no worker has one left when the others are done."""
    most = min(_BATCH_BYTES, 1 + sum(sound.size for sound in sounds) // (4 * workers))
    batches: list[list[Entry]] = []
    room = 0
    for sound in sorted(sounds, key=lambda sound: (-sound.size, sound.name)):
        if not batches or room < sound.size or len(batches[-1]) == _BATCH_FILES:
            batches.append([])
            room = most
        batches[-1].append(sound)
        room -= sound.size
    return batches


def _as_entries(files: Sequence[FoundFile]) -> list[Entry]:
    """An entry for each file, with its name and group."""
    groups, named = Groups(), dict[str, Entry]()
    for file in files:
        name = f"{file.folder.name}/{file.relative}".lstrip("/")
        sound = Entry(name, str(file.path), groups.of(file), size=file.size, modified=file.modified)
        other = named.setdefault(name, sound)
        if other is not sound:
            raise _same_name(name, other.source, sound.source)
    return list(named.values())


def _is_there(sound: Entry, known: Entry | None, lazy: bool) -> bool:
    """Whether the corpus holds this file already, as it is now.

    Raises:
        CorpusError: the corpus holds another file under this name.
    """
    if known is None:
        return False
    moved = known.source != sound.source
    if moved and not known.rejected and Path(known.source).exists():
        raise _same_name(sound.name, known.source, sound.source)
    same = (known.size, known.modified, known.group) == (sound.size, sound.modified, sound.group)
    return same and not known.rejected and not (moved and lazy)


def _same_name(name: str, one: str, other: str) -> CorpusError:
    return CorpusError(
        "two files would have the same name in the corpus",
        site=name,
        got=f"{one} and {other}",
        next_step="rename one of their folders, or give the folder that holds both as --input",
    )
