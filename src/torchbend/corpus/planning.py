"""Which files are made of which sounds: pieces, copies, names."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from torchbend.corpus.augmentation import UNALTERED, Augmentation
from torchbend.corpus.conversion import Conversion, Job
from torchbend.corpus.durations import Measured
from torchbend.errors import CorpusError

__all__ = ["copies_for", "plan"]

_USUAL_HOURS = 10.5
_MOST_COPIES = 48
"""What there is in all, and the most copies of each sound, where neither is asked for."""


def copies_for(seconds: float) -> int:
    """How many copies make about ten and a half hours out of so many seconds: 1 to 48.

    >>> copies_for(12 * 60 + 52), copies_for(20 * 3600)
    (48, 1)
    """
    if seconds <= 0:
        return 1
    return max(1, min(_MOST_COPIES, round(_USUAL_HOURS * 3600 / seconds) - 1))


def plan(
    sources: Sequence[Measured],
    output: Path,
    conversion: Conversion,
    augmentation: Augmentation | None = None,
    copies: int | None = None,
    hours: float | None = None,
    piece: float = 120.0,
) -> list[Job]:
    """The files to make: every sound as it is, then the first copy of every sound, and so on.

    Copies are named ``NAME_001.wav``, pieces ``NAME_from_120s.wav``.

    Args:
        sources: what there is.
        output: the folder to write to.
        conversion: what is done to every sound.
        augmentation: what copies are drawn from; None for none.
        copies: of each sound, beside the one as it is.
        hours: stop when there are as many, before silence is cut.
        piece: the longest piece, in seconds.

    Raises:
        CorpusError: a number is out of its range, or copies or hours are asked for without augmentation.
    """
    _check(augmentation, copies, hours, piece)
    total = sum(source.seconds for source in sources)
    wanted: float = 0.0 if hours is None else hours * 3600
    last = 0
    if augmentation is not None:
        last = copies if copies is not None else copies_for(total)
    stems, made = _stems(sources), 0.0
    jobs: list[Job] = []
    for copy in itertools.count():
        if copy > 0 and (made >= wanted if hours is not None else copy > last):
            break
        for source, stem in zip(sources, stems, strict=True):
            for start, seconds in _pieces(source.seconds, piece):
                if hours is not None and copy > 0 and made >= wanted:
                    return jobs
                key = source.file.relative if seconds is None else f"{source.file.relative}\n{start:g}"
                alteration = augmentation.draw(key, copy) if augmentation else UNALTERED
                mark = "" if seconds is None else f"_from_{start:g}s"
                name = f"{stem}{mark}{f'_{copy:03d}' if copy else ''}.wav"
                target, facts = output / name, (copy, alteration, start, seconds, source.file.size)
                jobs.append(Job(source.file.path, source.file.relative, target, name, conversion, *facts))
                made += (source.seconds if seconds is None else seconds) / alteration.speed
        if made <= 0:
            break
    return jobs


def _check(augmentation: Augmentation | None, copies: int | None, hours: float | None, piece: float) -> None:
    if augmentation is None and (copies is not None or hours is not None):
        raise CorpusError(
            "copies that are not altered would all be the same",
            site="copies" if copies is not None else "hours",
            next_step="ask for --augment",
        )
    if copies is not None and hours is not None:
        raise CorpusError("copies and hours cannot both be met", site="hours", next_step="leave one out")
    limits = {"copies": (copies, 0), "hours": (hours, 0), "piece": (piece, 1)}
    for name, (value, least) in limits.items():
        if value is not None and not (math.isfinite(value) and value >= least):
            raise CorpusError("out of range", site=name, wanted=f"{least} or more", got=value)


def _pieces(seconds: float, piece: float) -> Iterator[tuple[float, float | None]]:
    """Where pieces begin and how long they are; the last one has between 0.5 and 1.5 of ``piece``."""
    count = max(1, math.floor(seconds / piece + 0.5))
    if count == 1:
        yield 0.0, None
        return
    for number in range(count - 1):
        yield number * piece, piece
    # A compressed file may be a little longer than its header tells.
    start = (count - 1) * piece
    yield start, float(math.ceil(seconds - start) + 1)


_MARK = re.compile(r"(_from_[\d.e+]+s)?(_\d{3,})?$")


def _stems(sources: Sequence[Measured]) -> list[str]:
    """A name without suffix for each source; the suffix stays where files would be named alike without it."""
    plain = [str(PurePosixPath(source.file.relative).with_suffix("")) for source in sources]
    # Letters of either case are one where the file system says so.
    count = Counter(stem.lower() for stem in plain)
    like_copies = {_MARK.sub("", stem) for stem in count if _MARK.sub("", stem) != stem}
    return [
        source.file.relative if count[stem.lower()] > 1 or stem.lower() in like_copies else stem
        for source, stem in zip(sources, plain, strict=True)
    ]
