"""A corpus of sounds: made, opened, and read in excerpts."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks.harness import PLAIN, Bar, Row, Section, Settings, interleaved
from torchbend.corpus.excerpts import Excerpts
from torchbend.corpus.ingest import Limits
from torchbend.corpus.layout import Entry, index_path, samples_path
from torchbend.corpus.preprocessing import preprocess
from torchbend.corpus.store import Corpus
from torchbend.corpus.transforms import standard
from torchbend.corpus.writing import CorpusWriter

__all__ = ["corpora"]

_RATE = 44100
_LENGTH = 131_072
_OPEN = Bar("5 s", ratio=0.0, extra=5.0)
_EXCERPT = Bar("3.3 ms", ratio=0.0, extra=3.3e-3)


def corpora(settings: Settings) -> Section:
    """Making a corpus, opening a long one, and reading excerpts of it."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            *_making(settings, Path(folder)),
            _opening(settings, Path(folder) / "long"),
            *_reading(settings, Path(folder) / "noise"),
        ]
    text = (
        "Mono at 44.1 kHz, one process. *Preprocessing* takes in sound files that the system has in memory; "
        "*plain* reads them with soundfile and writes their samples. *Opening* is all that stands before the "
        "first batch of 8 excerpts of 131,072 samples, of 60,000 sounds of 6 seconds; *plain* parses the "
        "index. An *excerpt* goes through the standard transforms (crop, phase, noise below the last bit); "
        "*plain* reads it only; the bar is what an item took in the first implementation, on a quiet machine."
    )
    return Section("A corpus of sounds", text, rows, noted="that is")


def _making(settings: Settings, folder: Path) -> list[Row]:
    import soundfile

    seconds = 2 if settings.tiny else 60
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, seconds * _RATE).astype(np.float32)
    rows = []
    for suffix, rate in (("wav", _RATE), ("flac", _RATE), ("flac", 48000)):
        sounds = folder / f"{suffix}{rate}"
        sounds.mkdir()
        for k in range(2 if settings.tiny else 10):
            soundfile.write(sounds / f"{k}.{suffix}", samples, rate)
        numbers = count()

        def plain(sounds: Path = sounds) -> None:
            with (folder / "plain").open("wb") as file:
                for path in sorted(sounds.iterdir()):
                    file.write(soundfile.read(path, dtype="int16")[0].tobytes())
                os.fsync(file.fileno())

        def made(sounds: Path = sounds, numbers: Callable[[], int] = numbers.__next__) -> None:
            target = folder / f"made-{sounds.name}-{numbers()}"
            preprocess([sounds], target, _RATE, limits=Limits(1), progress=False)

        calls: dict[str, Callable[[], object]] = {PLAIN: plain, "torchbend": made}
        timings = interleaved(calls, max(settings.rounds // 8, 1), warm_up=1)
        length = len(samples) / rate * len(list(sounds.iterdir()))
        speed = length / 60 / timings.median("torchbend")
        what = f"preprocessing {suffix.upper()} files of {rate} Hz"
        rows.append(Row.of(what, timings, "torchbend", note=f"{speed:.1f} hours per minute"))
    return rows


def _opening(settings: Settings, folder: Path) -> Row:
    """A corpus of 100 hours whose samples take no place on the disk."""
    sounds, frames = (60, 6 * _RATE) if settings.tiny else (60_000, 6 * _RATE)
    with CorpusWriter(folder, _RATE, 1) as writer:
        with samples_path(folder, 0).open("wb") as file:
            file.truncate(2 * sounds * frames)
        names = [f"sounds/{k:06}.wav" for k in range(sounds)]
        writer.record(Entry(n, f"/s/{n}", n, frames, 0, k * frames) for k, n in enumerate(names))

    def plain() -> object:
        return [json.loads(line) for line in index_path(folder).read_bytes().splitlines()]

    def opened() -> object:
        corpus = Corpus.open(folder).divided()
        train, _ = corpus.split()
        excerpts = Excerpts(corpus, train, _LENGTH, standard(_LENGTH, _RATE))
        return [excerpts[k * len(excerpts) // 8] for k in range(8)]

    calls: dict[str, Callable[[], object]] = {PLAIN: plain, "torchbend": opened}
    timings = interleaved(calls, max(settings.rounds // 8, 1), warm_up=1)
    hours = sounds * frames / _RATE / 3600
    return Row.of(f"opening {hours:.0f} hours", timings, "torchbend", _OPEN, note=f"{sounds} sounds")


def _reading(settings: Settings, folder: Path) -> list[Row]:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 60 * _RATE))
    with CorpusWriter(folder, _RATE, 1) as writer:
        writer.append("noise", noise)
    corpus = Corpus.open(folder)
    rows = []
    for what, transforms, bar in (
        ("an excerpt", standard(_LENGTH, _RATE), _EXCERPT),
        ("the same with random pitch", standard(_LENGTH, _RATE, rand_pitch=(0.8, 1.2)), None),
        ("the same for a model of 48 kHz", standard(_LENGTH, _RATE, 48000), None),
    ):
        read = Excerpts(corpus, [0], _LENGTH)
        excerpts = Excerpts(corpus, [0], _LENGTH, transforms)

        def item(of: Excerpts, number: count[int]) -> object:
            of.set_epoch(next(number))
            return of[0]

        numbers = count(), count()
        calls: dict[str, Callable[[], object]] = {
            PLAIN: lambda of=read, n=numbers[0]: item(of, n),
            "torchbend": lambda of=excerpts, n=numbers[1]: item(of, n),
        }
        timings = interleaved(calls, settings.rounds * 5, warm_up=3)
        speed = f"{1 / timings.median('torchbend'):.0f} per second"
        rows.append(Row.of(what, timings, "torchbend", bar, note=speed))
    return rows
