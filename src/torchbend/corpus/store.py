"""A corpus on disk: sounds of one sample rate and number of channels, read at any place at once.

How the store is made. A corpus is a folder:

- ``corpus.json``, the header: sample rate, channels, and whether the corpus is lazy.
- ``samples-0000.i16``, ``samples-0001.i16``, ...: 16-bit samples, little endian, channels interleaved, one
  sound after the other. They are mapped into memory, so that opening 100 hours reads none of them, and
  several processes that read the same sound share it.
- ``index.jsonl``: one line of JSON for each sound: its name, its source file with size and time of change,
  its group, and which frames of which file hold it. A later line of the same name replaces an earlier one.

Nothing is ever written in the middle of a file. A sound is appended to a file of samples, brought to the
disk, and only then is its line appended to the index and brought to the disk: what has no line does not
exist. A kill at any time leaves at most a torn last line or samples without a line, which the next run
overwrites. There is no size to choose, and a folder that is being extended can be read meanwhile.

A lazy corpus has no samples: its index names the source files, and each read decodes a piece of one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from torchbend.corpus.decoding import decode_blocks
from torchbend.corpus.layout import (
    BYTES_OF_SAMPLE,
    Entry,
    Header,
    latest,
    lost,
    read_entries,
    read_header,
    samples_path,
)
from torchbend.corpus.splitting import held_out_groups, parts
from torchbend.errors import CorpusError

__all__ = ["Corpus", "Sound"]

Samples: TypeAlias = NDArray[np.float32]

FULL_SCALE = 32768
"""The 16-bit number of a sample of 1."""


class Sound(NamedTuple):
    """A sound of a corpus, or a part of one.

    Args:
        name: once in a corpus.
        frames: samples of each channel.
        source: the file that it was read from.
        group: the original sound that it was made of; its augmented copies have the same.
        file: number of the file of samples; -1 in a lazy corpus.
        start: where it begins in that file, or in ``source``, in frames at the rate of the corpus.
    """

    name: str
    frames: int
    source: str
    group: str
    file: int = -1
    start: int = 0


class Corpus:
    """The sounds of a folder that ``torchbend rave preprocess`` made. :meth:`open` opens one.

    Args:
        path: the folder.
        header: what holds for all sounds.
        sounds: in the order of their names, so that it is the same however they were written.
    """

    def __init__(self, path: Path, header: Header, sounds: Sequence[Sound]) -> None:
        self.path = path
        self.header = header
        self.sounds: tuple[Sound, ...] = tuple(sounds)
        self._maps: dict[int, NDArray[np.int16]] = {}

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Corpus:
        """Open the corpus in a folder; no sample is read.

        Raises:
            CorpusError: there is none, it is damaged, it holds no sound, or samples are missing.
        """
        folder = Path(path)
        header = read_header(folder)
        entries = [entry for entry in latest(read_entries(folder)).values() if not entry.rejected]
        if not entries:
            raise CorpusError(
                "the corpus holds no sound",
                site=str(folder),
                next_step="torchbend rave preprocess tells which files it refused, and why",
            )
        missing = lost(folder, entries, header.channels)
        if missing:
            files = sorted({entry.file for entry in missing})
            raise CorpusError(
                "samples are missing from the corpus",
                site=", ".join(str(samples_path(folder, file)) for file in files),
                wanted=f"the samples of {len(missing)} of {len(entries)} sounds, as {missing[0].name}",
                next_step="copy the whole folder, or preprocess again: what is missing is then read anew",
            )
        return cls(folder, header, [_sound(entry) for entry in sorted(entries, key=lambda e: e.name)])

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self.header.sample_rate

    @property
    def channels(self) -> int:
        """Of every sound."""
        return self.header.channels

    @property
    def lazy(self) -> bool:
        """Whether each read decodes a piece of a sound file."""
        return self.header.lazy

    @property
    def seconds(self) -> float:
        """Length of all sounds together."""
        return sum(sound.frames for sound in self.sounds) / self.sample_rate

    def __len__(self) -> int:
        return len(self.sounds)

    def __repr__(self) -> str:
        kind = "lazy, " if self.lazy else ""
        return (
            f"Corpus({str(self.path)!r}: {kind}{len(self)} sounds, {self.seconds / 3600:.2f} h, "
            f"{self.sample_rate} Hz, {self.channels} channel(s))"
        )

    def read(self, index: int, start: int = 0, frames: int | None = None) -> Samples:
        """Samples of one sound.

        Args:
            index: of the sound in ``sounds``.
            start: the first frame, 0 or more.
            frames: how many, 0 or more; to the end by default.

        Shape:
            ``[channels, frames]``, float32 in [-1, 1), an array of its own.

        Raises:
            CorpusError: the sound is shorter than that; in a lazy corpus, its file is no longer what it was.
            AudioFileError: in a lazy corpus, the file cannot be read.
        """
        sound = self.sounds[index]
        count = sound.frames - start if frames is None else frames
        if start < 0 or count < 0 or start + count > sound.frames:
            raise CorpusError(
                "a sound has no such samples",
                site=sound.name,
                wanted=f"frames 0 to {sound.frames}",
                got=f"frames {start} to {start + count}",
            )
        if count == 0:
            return np.empty((self.channels, 0), np.float32)
        if sound.file < 0:
            return self._decoded(sound, sound.start + start, count)
        begin = (sound.start + start) * self.channels
        stored = self._samples(sound.file)[begin : begin + count * self.channels]
        samples = np.empty((self.channels, count), np.float32)
        np.multiply(stored.reshape(count, self.channels).T, np.float32(1 / FULL_SCALE), out=samples)
        return samples

    def split(self, held_out: float = 0.02, seed: int = 42) -> tuple[list[int], list[int]]:
        """Sounds to train on, and sounds to judge by.

        Whole groups are held out, so that no augmented copy of a held-out sound is trained on.

        Args:
            held_out: the share to hold out, of the length of all sounds, in [0, 1). At least one group is
                held out where there are two and the share is not 0.
            seed: of the choice, which depends on the names of the groups and their lengths only.

        Returns:
            Indices into ``sounds``: to train on, and held out.

        Raises:
            CorpusError: ``held_out`` is out of its range.
        """
        frames: dict[str, int] = {}
        for sound in self.sounds:
            frames[sound.group] = frames.get(sound.group, 0) + sound.frames
        chosen = held_out_groups(frames, held_out, seed)
        train = [i for i, sound in enumerate(self.sounds) if sound.group not in chosen]
        return train, [i for i, sound in enumerate(self.sounds) if sound.group in chosen]

    def divided(self, seconds: float = 30.0) -> Corpus:
        """The same corpus with long sounds cut in parts of about ``seconds``, each a group of its own.

        For a corpus of few long sounds, of which :meth:`split` could hold out none, or too much. Sounds that
        have copies (others of their group) stay whole.

        Args:
            seconds: above 0.

        Raises:
            CorpusError: ``seconds`` is not above 0.
        """
        if not seconds > 0:
            raise CorpusError("a part has no such length", site="seconds", wanted="above 0", got=seconds)
        alone = _alone(self.sounds)
        length = max(1, round(seconds * self.sample_rate))
        cut: list[Sound] = []
        for sound in self.sounds:
            long = sound.frames > length and sound.group in alone
            spans = parts(sound.frames, length) if long else []
            cut += [_part(sound, k, *span) for k, span in enumerate(spans)] if len(spans) > 1 else [sound]
        return Corpus(self.path, self.header, cut)

    def __getstate__(self) -> dict[str, object]:
        """Without what is mapped: each process maps it at its first read."""
        return {"path": self.path, "header": self.header, "sounds": self.sounds, "_maps": {}}

    def _samples(self, file: int) -> NDArray[np.int16]:
        if file not in self._maps:
            path = samples_path(self.path, file)
            try:
                whole = path.stat().st_size // BYTES_OF_SAMPLE  # a kill may have left half a sample
                mapped = np.memmap(path, dtype="<i2", mode="r", shape=(whole,))
            except (OSError, ValueError) as error:
                raise CorpusError("samples cannot be read", site=str(path), got=str(error)) from error
            self._maps[file] = np.asarray(mapped)
        return self._maps[file]

    def _decoded(self, sound: Sound, start: int, count: int) -> Samples:
        rate = self.sample_rate
        blocks = list(decode_blocks(sound.source, rate, self.channels, start / rate, count / rate))
        found = sum(block.shape[1] for block in blocks)
        if found < count:
            raise CorpusError(
                "a sound file is shorter than it was when the corpus was made",
                site=sound.source,
                wanted=f"{count} frames from frame {start} on, at {rate} Hz",
                got=f"{found} frames",
                next_step="preprocess again: what has changed is then read anew",
            )
        return np.ascontiguousarray(np.concatenate(blocks, axis=1)[:, :count])


def _sound(entry: Entry) -> Sound:
    name, source, group, frames, file, start = entry[:6]
    return Sound(name, frames, source, group, file, start)


def _part(sound: Sound, number: int, start: int, frames: int) -> Sound:
    name = f"{sound.name}#{number}"
    return sound._replace(name=name, group=name, start=sound.start + start, frames=frames)


def _alone(sounds: Sequence[Sound]) -> set[str]:
    """The groups of one sound."""
    seen: dict[str, int] = {}
    for sound in sounds:
        seen[sound.group] = seen.get(sound.group, 0) + 1
    return {group for group, count in seen.items() if count == 1}
