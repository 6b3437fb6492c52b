"""Taking sound files into a corpus: what a worker does, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from torchbend.corpus.decoding import decode, decode_blocks, probe
from torchbend.corpus.layout import BYTES_OF_SAMPLE, Entry, Header, samples_path
from torchbend.corpus.reasons import reason
from torchbend.corpus.writing import as_stored, sample_file
from torchbend.errors import AudioFileError, MissingExtraError

__all__ = ["Limits", "Task", "ingest"]

_FULL = 0.9999
"""A sample from here on may be clipped."""

_RUN = 3
"""So many of them after each other are."""


@dataclass(frozen=True)
class Limits:
    """What a sound must have.

    Args:
        frames: at least so many, at the rate of the corpus.
        silence: its peak in dB is above this.
        pad: whether silence is added to what is too short, instead of refusing it.
    """

    frames: int = 131_072
    silence: float = -60.0
    pad: bool = False


@dataclass(frozen=True)
class Task:
    """Files that one worker takes in at once.

    Args:
        folder: of the corpus.
        header: of the corpus.
        limits: what the sounds must have.
        file: number of the file of samples that the worker writes.
        start: the frame in it where they begin.
        sounds: an entry for each file, without length and place.
    """

    folder: Path
    header: Header
    limits: Limits
    file: int
    start: int
    sounds: tuple[Entry, ...]


def ingest(task: Task) -> tuple[int, list[Entry]]:
    """Take in the files of a task, and bring their samples to the disk.

    Returns:
        The number of the file of samples, and an entry for each sound: complete, or with the reason for
        refusing it.

    Raises:
        CorpusError: the samples cannot be written.
    """
    if task.header.lazy:
        return task.file, [_looked_at(sound, task) for sound in task.sounds]
    done: list[Entry] = []
    start = task.start
    with sample_file(samples_path(task.folder, task.file), start, task.header.channels) as file:
        for sound in task.sounds:
            done.append(_copied(sound, task, file, start))
            start += done[-1].frames
    return task.file, done


class _Seen:
    """What is learnt of a sound while it is read block by block."""

    def __init__(self) -> None:
        self.frames, self.peak, self.clipped = 0, 0.0, 0

    def watch(self, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        for block in blocks:
            self.frames += block.shape[1]
            peak = float(max(block.max(initial=0.0), -block.min(initial=0.0)))
            self.peak = max(self.peak, peak)
            if peak >= _FULL:
                self.clipped += _clipped(block)
            yield block

    def refusal(self, limits: Limits, rate: int) -> tuple[str, str] | None:
        """Why the sound is refused: in a word, and in a sentence."""
        if self.frames < limits.frames and not (limits.pad and self.frames):
            return "too short", (
                f"{self.frames / rate:.2f} s, shorter than {limits.frames / rate:.2f} s: a smaller "
                "--num-signal takes it, and --pad adds silence"
            )
        if self.peak <= 10 ** (limits.silence / 20):
            level = f"{20 * np.log10(self.peak):.0f} dB" if self.peak else "digital silence"
            return "silent", f"its peak is {level}; a lower --silence takes it"
        return None


def _copied(sound: Entry, task: Task, file: IO[bytes], start: int) -> Entry:
    """The sound appended to the file; what was written of a refused one is taken away again."""
    header, limits, seen = task.header, task.limits, _Seen()
    place = start * header.channels * BYTES_OF_SAMPLE
    try:
        for block in seen.watch(decode_blocks(sound.source, header.sample_rate, header.channels)):
            file.write(as_stored(block))
    except (AudioFileError, MissingExtraError) as error:
        refused: tuple[str, str] | None = ("unreadable", reason(error))
    else:
        refused = seen.refusal(limits, header.sample_rate)
    if refused is not None:
        file.flush()
        file.truncate(place)
        return sound._replace(rejected=refused[0], detail=refused[1])
    missing = max(0, limits.frames - seen.frames)
    file.write(bytes(missing * header.channels * BYTES_OF_SAMPLE))
    frames = seen.frames + missing
    return sound._replace(frames=frames, file=task.file, start=start, clipped=seen.clipped)


def _looked_at(sound: Entry, task: Task) -> Entry:
    """For a lazy corpus: the length only, and whether its end can be read by itself."""
    rate, channels, limits = task.header.sample_rate, task.header.channels, task.limits
    try:
        facts = probe(sound.source)
        frames = round(facts.frames * rate / facts.sample_rate)
        if frames < max(1, limits.frames):
            found = _Seen()
            found.frames = frames
            refused = found.refusal(replace(limits, pad=False), rate) or ("too short", "it has no samples")
            return sound._replace(rejected=refused[0], detail=refused[1])
        last = min(frames, rate)
        found_last = decode(sound.source, rate, channels, (frames - last) / rate).shape[1]
    except (AudioFileError, MissingExtraError) as error:
        return sound._replace(rejected="unreadable", detail=reason(error))
    return sound._replace(frames=min(frames, frames - last + found_last))


def _clipped(block: NDArray[np.float32]) -> int:
    """Samples at full scale in runs of three and more."""
    full = np.abs(block) >= _FULL
    runs = full[:, 2:] & full[:, 1:-1] & full[:, :-2]
    starts = runs.copy()
    starts[:, 1:] &= ~runs[:, :-1]
    return int(runs.sum() + (_RUN - 1) * starts.sum())
