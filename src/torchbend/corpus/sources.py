"""Sound files as libsndfile opens them, and what every other way of opening one has to give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from torchbend.audio.files import MP3_SETTLE
from torchbend.errors import AudioFileError, MissingExtraError, TorchbendError

__all__ = ["BLOCK", "Block", "Opener", "Source", "open_soundfile", "unreadable"]

Block: TypeAlias = NDArray[np.float32]

BLOCK = 1 << 16
"""Frames that are read at once."""


@dataclass(frozen=True)
class Source:
    """An open sound file.

    Args:
        sample_rate: in Hz.
        channels: 1 or more.
        frames: how many samples each channel has; None where only decoding the whole file would tell.
        read: ``read(first, count)`` gives the frames from ``first`` on, ``count`` of them or all that there
            are (None), in blocks ``[channels, n]`` of float32.
    """

    sample_rate: int
    channels: int
    frames: int | None
    read: Callable[[int, int | None], Iterator[Block]]


Opener: TypeAlias = Callable[[Path], AbstractContextManager[Source]]


def unreadable(path: Path, got: object, next_step: str | None = None) -> AudioFileError:
    """The error for a file that is no sound, or a damaged one."""
    return AudioFileError(
        "the file cannot be read as sound", site=str(path), got=str(got) or None, next_step=next_step
    )


@contextmanager
def open_soundfile(path: Path) -> Iterator[Source]:
    """Open what libsndfile reads: WAV, AIFF, FLAC, Ogg Vorbis, Opus, MP3, CAF, AU and others.

    Raises:
        AudioFileError: libsndfile does not know the format, or the file is damaged.
    """
    soundfile = _soundfile()
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, TypeError, OSError) as error:  # TypeError: a headerless .raw file
        raise unreadable(path, error) from error
    with file:
        yield Source(
            int(file.samplerate),
            int(file.channels),
            int(file.frames),
            lambda first, count: _frames(soundfile, file, path, first, count),
        )


def _frames(soundfile: Any, file: Any, path: Path, first: int, count: int | None) -> Iterator[Block]:
    """Frames from ``first`` on.

    An MP3 frame draws on bits of earlier ones, so that libsndfile gives up to a tenth of a second of zeros
    after every jump; and soundfile jumps after every reading. There each block begins earlier, and that
    beginning is dropped.
    """
    settle, size = (MP3_SETTLE, 4 * BLOCK) if file.format == "MP3" else (0, BLOCK)
    left = max(0, file.frames - first) if count is None else count
    try:
        file.seek(min(first, file.frames))
        while left > 0:
            early = min(settle, first)
            if settle:
                file.seek(min(first - early, file.frames))
            samples = file.read(early + min(left, size), dtype="float32", always_2d=True)[early:]
            if len(samples) == 0:
                return
            first, left = first + len(samples), left - len(samples)
            yield np.ascontiguousarray(samples.T)
    except soundfile.SoundFileError as error:
        raise unreadable(path, error, "the file is damaged: copy or decode it anew") from error


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        missing: TorchbendError = MissingExtraError(
            "sound files need soundfile", next_step="pip install soundfile"
        )
        raise missing from error
    return soundfile
