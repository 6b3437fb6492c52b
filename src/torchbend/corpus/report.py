"""What became of each file of a preprocessing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torchbend.corpus.durations import in_words
from torchbend.corpus.layout import Entry
from torchbend.display.atomic import write_text
from torchbend.display.table import Table

if TYPE_CHECKING:
    from torchbend.corpus.writing import CorpusWriter

__all__ = ["Report"]

_FILE = "report.json"


@dataclass(frozen=True)
class Report:
    """What a corpus holds after a run, and what it refused; of all runs, where nothing else is said.

    Args:
        corpus: its folder.
        sample_rate: in Hz.
        channels: 1 or more.
        lazy: whether it only lists files.
        sounds: how many it holds.
        seconds: their length together.
        added: how many this run brought, the changed ones too.
        added_seconds: their length together.
        skipped: how many files of this run it held already.
        changed: names of files that had changed since they were read, and were read anew in this run.
        gone: names of sounds whose files are no longer where they were; the corpus keeps them.
        rejected: refused files: name, reason in a word, reason in a sentence.
        clipped: sounds that touch full scale in runs, a sign of overload: name, samples. They are kept.
        elapsed: seconds that this run took.
    """

    corpus: str
    sample_rate: int
    channels: int
    lazy: bool
    sounds: int
    seconds: float
    added: int
    added_seconds: float
    skipped: int
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    rejected: tuple[tuple[str, str, str], ...]
    clipped: tuple[tuple[str, int], ...]
    elapsed: float

    @classmethod
    def of(
        cls,
        writer: CorpusWriter,
        before: Mapping[str, Entry],
        found: Sequence[Entry],
        read: Sequence[Entry],
        elapsed: float,
    ) -> Report:
        """The report of a run.

        Args:
            writer: of the corpus, with what it holds now.
            before: what it held before, by name.
            found: the files of this run.
            read: those of them that it did not hold.
            elapsed: in seconds.
        """
        rate = writer.header.sample_rate
        entries = [writer.entries[name] for name in sorted(writer.entries)]
        kept = [entry for entry in entries if not entry.rejected]
        names = {entry.name for entry in read}
        added = [entry for entry in kept if entry.name in names]
        changed = [name for name in sorted(names) if name in before and not before[name].rejected]
        return cls(
            str(writer.path),
            rate,
            writer.header.channels,
            writer.header.lazy,
            len(kept),
            sum(entry.frames for entry in kept) / rate,
            len(added),
            sum(entry.frames for entry in added) / rate,
            len(found) - len(read),
            tuple(changed),
            tuple(e.name for e in kept if e.source and not Path(e.source).exists()),
            tuple((e.name, e.rejected, e.detail) for e in entries if e.rejected),
            tuple((e.name, e.clipped) for e in kept if e.clipped),
            elapsed,
        )

    @property
    def path(self) -> Path:
        """Where it is written: beside the samples."""
        return Path(self.corpus) / _FILE

    def write(self) -> None:
        """Write it as JSON.

        Raises:
            OSError: the file cannot be written.
        """
        content = asdict(self)
        content["rejected"] = [{"name": n, "why": w, "detail": d} for n, w, d in self.rejected]
        content["clipped"] = [{"name": name, "samples": samples} for name, samples in self.clipped]
        write_text(self.path, json.dumps(content, indent=1) + "\n")

    def refused(self, most: int) -> Table:
        """The refused files as a table.

        Args:
            most: rows at most.
        """
        return Table(("refused", "why", ""), self.rejected[:most])

    def summary(self) -> str:
        """What the corpus holds and what this run did, in some lines."""
        lines = [f"{self.corpus}: {_sounds(self.sounds)}, {in_words(self.seconds)}"]
        done = f"added {_sounds(self.added)}, {in_words(self.added_seconds)}"
        if self.added and self.elapsed >= 1 and not self.lazy:
            speed = self.added_seconds / 60 / self.elapsed
            done += f", in {self.elapsed:.0f} s ({speed:.3g} hours of sound per minute)"
        lines.append(done + (f"; {_sounds(self.skipped)} were there already" if self.skipped else ""))
        lines += _some("changed since the last run, read anew", self.changed)
        lines += _some("no longer where they were, kept", self.gone)
        overloaded = [f"{name} ({samples} samples)" for name, samples in self.clipped]
        lines += _some("clipped, kept: record or export them lower", overloaded)
        return "\n".join(lines)


def _sounds(count: int) -> str:
    return f"{count} sound{'s' * (count != 1)}"


def _some(what: str, names: Sequence[str], most: int = 5) -> list[str]:
    """A line with the first names, where there are any."""
    if not names:
        return []
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return [f"{_sounds(len(names))} {what}: {', '.join(names[:most])}{more}"]
