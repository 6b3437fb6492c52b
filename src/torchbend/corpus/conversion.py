"""One sound file, or a piece of one, into one WAV file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchbend.audio import write_audio
from torchbend.corpus.augmentation import UNALTERED, Alteration, alter, faded
from torchbend.corpus.decoding import decode, probe
from torchbend.corpus.loudness import loudness_gain
from torchbend.corpus.reasons import reason
from torchbend.corpus.silence import without_silence
from torchbend.corpus.sources import Block
from torchbend.errors import AudioFileError, CorpusError, MissingExtraError

__all__ = ["Conversion", "Job", "Outcome", "convert"]


@dataclass(frozen=True)
class Conversion:
    """What is done to every sound.

    Args:
        sample_rate: of what is written, in Hz.
        channels: of what is written; None for as many as the source has.
        silence: what is below, in dB of full scale, is cut (:mod:`torchbend.corpus.silence`); None keeps it.
        loudness: in LUFS, what each source is brought to by one gain of at most +-12 dB, before it is
            altered (:func:`~torchbend.corpus.loudness.loudness_gain`); None leaves it.
        normalise: each file that is written is brought to full scale.
        shortest: what is shorter, in seconds, is refused.

    Raises:
        CorpusError: a number is out of its range.
    """

    sample_rate: int
    channels: int | None = 1
    silence: float | None = -60.0
    loudness: float | None = None
    normalise: bool = False
    shortest: float = 0.1

    def __post_init__(self) -> None:
        limits = {
            "sample_rate": ("1 Hz or more", self.sample_rate >= 1),
            "channels": ("1 or more", self.channels is None or self.channels >= 1),
            "silence": ("below 0 dB", self.silence is None or self.silence < 0),
            "loudness": ("below 0 LUFS", self.loudness is None or -100 < self.loudness < 0),
            "shortest": ("0 s or more", math.isfinite(self.shortest) and self.shortest >= 0),
        }
        for name, (wanted, good) in limits.items():
            if not good:
                raise CorpusError("cannot resample so", site=name, wanted=wanted, got=getattr(self, name))


@dataclass(frozen=True)
class Job:
    """One file to be written.

    Args:
        source: the file to read.
        source_name: its name in the record: relative to the folder, with slashes.
        target: the file to write.
        name: its name in the record: relative to the output folder, with slashes.
        conversion: what is done to every sound.
        copy: the number of the copy; 0 is the sound as it is.
        alteration: what is done to this copy.
        start: where the piece begins in the source, in seconds.
        seconds: how long the piece is; None for the whole source.
        size: of the source, in bytes.
    """

    source: Path
    source_name: str
    target: Path
    name: str
    conversion: Conversion
    copy: int = 0
    alteration: Alteration = UNALTERED
    start: float = 0.0
    seconds: float | None = None
    size: int = 0

    def wanted(self) -> dict[str, Any]:
        """All that the file to be written follows from, as its record says it."""
        piece = {"start": self.start, "piece": self.seconds} if self.seconds is not None else {}
        return {
            "source": self.source_name,
            "copy": self.copy,
            **asdict(self.alteration),
            **piece,
            "source_bytes": self.size,
            "conversion": asdict(self.conversion),
        }


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Args:
        job: the job.
        seconds: length of what was written; 0 where nothing was.
        rejected: why nothing was written; None where it was.
        facts: what else the record says.
    """

    job: Job
    seconds: float = 0.0
    rejected: str | None = None
    facts: dict[str, float] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The entry in the record, as JSON gives it back."""
        return {**self.job.wanted(), "seconds": round(self.seconds, 6), **self.facts}


def convert(jobs: Sequence[Job]) -> list[Outcome]:
    """Do jobs of one piece of one source, which is decoded once.

    Each file appears whole or not at all; the same job writes the same bytes anywhere. What cannot be read,
    is silent or too short is no error but told in the outcome.

    Args:
        jobs: that differ in the copy alone.

    Raises:
        AudioFileError: a file cannot be written.
    """
    with _one_thread():
        try:
            samples, rate, facts = _prepared(jobs[0])
        except (AudioFileError, MissingExtraError) as error:
            return [Outcome(job, rejected=reason(error)) for job in jobs]
        except _RefusedError as error:
            return [Outcome(job, rejected=str(error)) for job in jobs]
        return [_written(job, samples, rate, facts) for job in jobs]


class _RefusedError(Exception):
    """A sound is not worth a file."""


def _prepared(job: Job) -> tuple[Block, int, dict[str, float]]:
    """What is the same for all copies: the samples, their rate, and what the record says of them."""
    conversion = job.conversion
    samples, rate = _read(job)
    if conversion.silence is not None:
        samples = without_silence(samples, rate, conversion.silence)
        if samples.shape[1] == 0:
            raise _RefusedError(f"silent: nothing above {conversion.silence:g} dB")
    if samples.shape[1] < conversion.shortest * rate:
        length = f"{samples.shape[1] / rate:.3g} s"
        raise _RefusedError(f"too short: {length} of sound, {conversion.shortest:g} s wanted")
    if conversion.loudness is None:
        return samples, rate, {}
    gain = round(loudness_gain(samples, rate, conversion.loudness), 4)
    return samples * np.float32(10 ** (gain / 20)), rate, {"loudness_gain": gain}


def _written(job: Job, samples: Block, rate: int, facts: dict[str, float]) -> Outcome:
    conversion = job.conversion
    found = alter(samples, rate, conversion.sample_rate, job.alteration)
    waveform = torch.from_numpy(np.ascontiguousarray(found))
    write_audio(job.target, waveform, conversion.sample_rate, normalize=conversion.normalise)
    return Outcome(job, found.shape[1] / conversion.sample_rate, facts=facts)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums are rounded alike wherever a job is done."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _read(job: Job) -> tuple[Block, int]:
    """The samples of the piece at the source's own rate."""
    rate = probe(job.source).sample_rate
    samples = decode(job.source, channels=job.conversion.channels, start=job.start, seconds=job.seconds)
    if job.seconds is None:
        return samples, rate
    # A cut through a sound would be a click; the end of the last piece is faded too, which is no harm.
    return faded(samples, rate, begin=job.start > 0, end=True), rate
