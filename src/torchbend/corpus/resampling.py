"""A folder of any sounds as a folder of WAV files of one rate, with altered copies where they are wanted."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torchbend.corpus.augmentation import Augmentation
from torchbend.corpus.conversion import Conversion, Job, Outcome, convert
from torchbend.corpus.durations import measure
from torchbend.corpus.files import FoundFile, find_sounds
from torchbend.corpus.groups import AUGMENTATION
from torchbend.corpus.planning import plan
from torchbend.corpus.record import Record, recording
from torchbend.corpus.workers import processors, unordered
from torchbend.display.progress import tracked
from torchbend.errors import CorpusError

__all__ = ["Resampled", "resample_folder"]


_AT_ONCE = 8
"""Copies that are made of a source when it has been decoded, before it is decoded again."""


@dataclass
class Resampled:
    """What :func:`resample_folder` did.

    Args:
        sources: sounds that were found and could be opened.
        source_seconds: their length in all.
        written: files that were written now.
        written_seconds: their length in all.
        kept: files that an earlier run had finished.
        kept_seconds: their length in all.
        others: files of earlier runs that this one would not make; they are left as they are.
        rejected: why, for the name of each source that was not converted.
        took: seconds of work.
    """

    sources: int = 0
    source_seconds: float = 0.0
    written: int = 0
    written_seconds: float = 0.0
    kept: int = 0
    kept_seconds: float = 0.0
    others: int = 0
    rejected: dict[str, str] = field(default_factory=dict)
    took: float = 0.0


def resample_folder(
    folder: str | os.PathLike[str],
    output: str | os.PathLike[str],
    conversion: Conversion,
    augmentation: Augmentation | None = None,
    copies: int | None = None,
    hours: float | None = None,
    piece: float = 120.0,
    workers: int = 1,
    ray: bool = False,
    progress: bool | None = None,
) -> Resampled:
    """Convert every sound of a folder to a 16 bit WAV file, and make altered copies of each.

    What is finished is recorded in ``augmentation.json`` beside the files, with all that each one follows
    from: the same call again goes on where it was stopped, and another one does anew what differs. The files
    are the same bytes whatever the number of workers.

    Args:
        folder: of the sources, at any depth; or one file.
        output: where to write; may lie inside ``folder``, whose sounds are never touched.
        conversion: what is done to every sound.
        augmentation: what copies are drawn from; None for none.
        copies: of each sound, beside the one that is not altered. By default as many as make about ten and a
            half hours in all, 48 at most, one at least.
        hours: make copies until there are as many hours, instead.
        piece: longer sources are cut into pieces of as many seconds, each with draws of its own.
        workers: processes; 0 for as many as there are processors.
        ray: work on a ray cluster (``torchbend[ray]``) that sees the same folders.
        progress: as for :func:`~torchbend.display.progress.tracked`.

    Raises:
        CorpusError: the folder is missing or holds no sound; or the output would overwrite a source, is being
            written by another run, or holds files that are not this function's.
        AudioFileError: a file cannot be written.
        MissingExtraError: ray is wanted and not installed.
    """
    root, target = Path(folder), Path(output)
    begun, report = time.monotonic(), Resampled()
    _check_output(root, target)
    found = _sources(root, target)
    measured = measure(found, progress)
    report.rejected = {one.file.relative: one.trouble for one in measured if one.trouble}
    measured = [one for one in measured if not one.trouble]
    report.sources, report.source_seconds = len(measured), sum(one.seconds for one in measured)
    jobs = plan(measured, target, conversion, augmentation, copies, hours, piece)
    _check_apart(jobs, found, target)
    with recording(target, [job.target for job in jobs]) as record:
        todo = _unfinished(record, jobs, report)
        results = unordered(convert, _together(todo), workers or processors(), ray)
        outcomes = _Counted(itertools.chain.from_iterable(results), len(todo))
        _work(record, tracked(outcomes, "resampling", progress), report)
    report.took = time.monotonic() - begun
    return report


def _sources(root: Path, target: Path) -> list[FoundFile]:
    """The sounds of a folder, but for those in the output folder or in that of another such run."""
    kept = []
    own = os.path.realpath(target)
    passed: dict[Path, bool] = {}
    for file in find_sounds([root]):
        inner = [parent for parent in file.path.parents if file.folder in parent.parents]
        for parent in inner:
            if parent not in passed:
                passed[parent] = (parent / AUGMENTATION).exists() or os.path.realpath(parent) == own
        if not any(passed[parent] for parent in inner):
            kept.append(file)
    return kept


class _Counted:
    """Results whose number is known before they are."""

    def __init__(self, results: Iterator[Outcome], count: int) -> None:
        self._results, self._count = results, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Outcome]:
        return self._results


def _unfinished(record: Record, jobs: list[Job], report: Resampled) -> list[Job]:
    """What an earlier run has not done already; what it has is counted."""
    report.others = len(record.sounds.keys() - {job.name for job in jobs})
    todo = []
    for job in jobs:
        entry = record.sounds.get(job.name)
        if entry is not None and _finished(job, entry):
            report.kept += 1
            report.kept_seconds += entry["seconds"]
        else:
            todo.append(job)
    return todo


def _together(jobs: list[Job]) -> list[list[Job]]:
    """The jobs of each piece of a source, a few at a time."""
    pieces: dict[tuple[str, float], list[Job]] = {}
    for job in jobs:
        pieces.setdefault((job.source_name, job.start), []).append(job)
    return [
        copies[at : at + _AT_ONCE] for copies in pieces.values() for at in range(0, len(copies), _AT_ONCE)
    ]


def _work(record: Record, outcomes: Iterable[Outcome], report: Resampled) -> None:
    """Let the jobs be done, and record each one."""
    try:
        for outcome in outcomes:
            if outcome.rejected is not None:
                report.rejected[_piece_name(outcome.job)] = outcome.rejected
                if record.sounds.pop(outcome.job.name, None) is not None:
                    outcome.job.target.unlink(missing_ok=True)
                continue
            record.sounds[outcome.job.name] = outcome.record()
            report.written += 1
            report.written_seconds += outcome.seconds
            record.write_now_and_then(report.rejected)
    finally:
        record.write(report.rejected)


def _finished(job: Job, entry: Mapping[str, Any]) -> bool:
    """Whether a file is there and follows from the same things."""
    wanted = json.loads(json.dumps(job.wanted()))
    same = all(entry.get(name) == value for name, value in wanted.items())
    return same and isinstance(entry.get("seconds"), float) and job.target.is_file()


def _piece_name(job: Job) -> str:
    return job.source_name if job.seconds is None else f"{job.source_name} from {job.start:g} s"


def _check_output(root: Path, target: Path) -> None:
    if os.path.realpath(root) == os.path.realpath(target):
        raise CorpusError(
            "the output folder is the folder of the sources",
            site=str(target),
            wanted="a folder of its own",
            next_step="choose another --output",
        )


def _check_apart(jobs: list[Job], sources: list[FoundFile], target: Path) -> None:
    """Refuse an output that would overwrite a source."""
    own = {os.path.realpath(source.path) for source in sources}
    for job in jobs:
        if os.path.realpath(job.target) in own:
            raise CorpusError(
                "the output would overwrite a source",
                site=str(job.target),
                wanted="an output folder without sources",
                got=str(target),
                next_step="choose another --output",
            )
