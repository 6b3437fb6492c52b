"""Any sound file as a stream of float blocks at the wanted rate and number of channels."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from torchbend.corpus.media import media_opener
from torchbend.corpus.sources import Block, Source, open_soundfile, unreadable
from torchbend.errors import AudioFileError, MissingExtraError

__all__ = ["Block", "SoundFacts", "decode", "decode_blocks", "probe", "with_channels"]

_MARGIN = 4096
"""Frames read before a start inside the file, so that the resampler has settled there."""

_OF_SOUNDFILE = frozenset(
    ["aif", "aifc", "aiff", "au", "caf", "flac", "mp3", "oga", "ogg", "opus", "snd", "w64", "wav"]
)


@dataclass(frozen=True)
class SoundFacts:
    """What a sound file holds.

    Args:
        frames: samples of each channel. Where a compressed format keeps its length in the header only, that
            length; what decoding gives may differ by some hundred frames.
        sample_rate: in Hz.
        channels: 1 or more.
        seconds: ``frames / sample_rate``.
    """

    frames: int
    sample_rate: int
    channels: int
    seconds: float


def probe(path: str | os.PathLike[str]) -> SoundFacts:
    """Length, sample rate and channels of a sound file.

    The file is decoded only where its header does not tell the length.

    Args:
        path: the file: anything that libsndfile reads, or else PyAV or ffmpeg where they are installed.

    Raises:
        AudioFileError: the file is missing, empty, damaged or no sound.
        MissingExtraError: its format needs PyAV or ffmpeg, and neither is installed.
    """
    with _opened(Path(path)) as source:
        frames = source.frames
        if frames is None:
            frames = sum(block.shape[1] for block in source.read(0, None))
        return SoundFacts(frames, source.sample_rate, source.channels, frames / source.sample_rate)


def decode_blocks(
    path: str | os.PathLike[str],
    sample_rate: int | None = None,
    channels: int | None = None,
    start: float = 0.0,
    seconds: float | None = None,
) -> Iterator[Block]:
    """Decode a sound file block by block: an hour of sound never lies in memory as a whole.

    Resampling is soxr's "HQ" (linear phase, 20 bit), streamed. A start inside the file gives the same
    samples as decoding it from its beginning and cutting there (in the last second or so of Ogg Vorbis,
    libsndfile may be some hundred frames off).

    Args:
        path: the file, as for :func:`probe`.
        sample_rate: in Hz; the file's own by default.
        channels: fewer are made by mean, more by repetition (:func:`with_channels`); the file's own by
            default.
        start: where to begin, in seconds, 0 or more.
        seconds: how much to decode, above 0; to the end by default, or of a shorter file.

    Yields:
        Float32 arrays ``[channels, n]`` of changing ``n``. A whole file gives ``frames * sample_rate /
        rate`` samples in all, rounded to the nearest.

    Raises:
        AudioFileError: the file is missing, empty, damaged or no sound, holds NaN or infinity, or an
            argument is out of its range.
        MissingExtraError: its format needs PyAV or ffmpeg, and neither is installed.
    """
    place = Path(path)
    _check(place, sample_rate, channels, start, seconds)
    with _opened(place) as source:
        rate = sample_rate or source.sample_rate
        first = round(start * rate)
        count = None if seconds is None else max(1, round(seconds * rate))
        few = min(channels or source.channels, source.channels)
        blocks = _resampled(source, place, rate, few, first, count)
        for block in blocks:
            yield block if channels is None else with_channels(block, channels)


def decode(
    path: str | os.PathLike[str],
    sample_rate: int | None = None,
    channels: int | None = None,
    start: float = 0.0,
    seconds: float | None = None,
) -> Block:
    """The blocks of :func:`decode_blocks` as one array ``[channels, n]``, with the same arguments and errors.

    Raises:
        AudioFileError: as :func:`decode_blocks`; and there is not a sample where it should begin.
    """
    blocks = list(decode_blocks(path, sample_rate, channels, start, seconds))
    if not blocks:
        raise AudioFileError(
            "there is no sound to read",
            site=str(path),
            wanted=f"samples after {start:g} s" if start else "at least one sample",
            got="the end of the file",
        )
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)


def with_channels(block: Block, channels: int) -> Block:
    """The same sound with another number of channels.

    Channel ``c`` of fewer is the mean of the channels ``c``, ``c + channels``, ``c + 2 * channels``, ...;
    channel ``c`` of more is channel ``c`` modulo those that there are.

    Args:
        block: samples ``[C, n]``.
        channels: 1 or more.

    Shape:
        ``[C, n]`` to ``[channels, n]``; with as many channels the block itself is returned.

    >>> with_channels(np.float32([[0, 2], [1, 4]]), 1).tolist()
    [[0.5, 3.0]]
    """
    there = block.shape[0]
    if channels == there:
        return block
    if channels < there:
        means = [block[c::channels].mean(0, dtype=np.float32) for c in range(channels)]
        return np.stack(means)
    return np.ascontiguousarray(block[np.arange(channels) % there])


@contextmanager
def _opened(path: Path) -> Iterator[Source]:
    if not path.is_file():
        what = "a folder is not a sound file" if path.is_dir() else "there is no such file"
        raise AudioFileError(what, site=str(path), wanted="a sound file")
    if path.stat().st_size == 0:
        raise AudioFileError("the file is empty", site=str(path), wanted="a sound file", got="0 bytes")
    with ExitStack() as stack:
        try:
            source = stack.enter_context(open_soundfile(path))
        except AudioFileError as error:
            source = _otherwise(path, stack, error)
        yield source


def _otherwise(path: Path, stack: ExitStack, error: AudioFileError) -> Source:
    """The file through PyAV or ffmpeg, where libsndfile could not; else the clearer of both errors."""
    opener = media_opener()
    usual = path.suffix[1:].lower() in _OF_SOUNDFILE
    if opener is None and not usual:
        raise MissingExtraError(
            "the file is not of a format that libsndfile reads; others need PyAV or the ffmpeg program",
            site=str(path),
            got=f"{error.got} Neither PyAV nor ffmpeg is installed.",
            next_step='pip install "torchbend[media]", or install ffmpeg',
        ) from error
    if opener is None:
        raise error
    try:
        return stack.enter_context(opener(path))
    except AudioFileError as other:
        raise (error if usual else other) from other


def _resampled(
    source: Source, path: Path, rate: int, channels: int, first: int, count: int | None
) -> Iterator[Block]:
    """Samples ``first`` to ``first + count`` of the file at ``rate``."""
    if rate == source.sample_rate:
        for block in source.read(first, count):
            yield _finite(with_channels(block, channels), path)
        return
    # The stream begins at a frame that falls on a sample of the new rate, so that both count alike.
    step = source.sample_rate // math.gcd(source.sample_rate, rate)
    begin = max(0, int(first * source.sample_rate / rate) - _MARGIN) // step * step
    drop = first - begin * rate // source.sample_rate
    read = None
    if count is not None:
        read = math.ceil((drop + count) * source.sample_rate / rate) + _MARGIN
    fed = (_finite(with_channels(block, channels), path) for block in source.read(begin, read))
    left: float = math.inf if count is None else count
    for block in _soxr_stream(fed, source.sample_rate, rate, channels):
        cut = min(drop, block.shape[1])
        drop -= cut
        piece = block[:, cut:] if left == math.inf else block[:, cut : cut + int(left)]
        left -= piece.shape[1]
        if piece.shape[1]:
            yield np.ascontiguousarray(piece)
        if left <= 0:
            return


def _soxr_stream(blocks: Iterator[Block], old: int, new: int, channels: int) -> Iterator[Block]:
    """All blocks at another rate; in all as many samples as the ratio wants, to the nearest."""
    try:
        import soxr
    except (ImportError, OSError) as error:
        raise MissingExtraError("resampling needs soxr", next_step="pip install soxr") from error
    stream = soxr.ResampleStream(old, new, channels, dtype="float32", quality="HQ")
    fed = given = 0
    for block in blocks:
        fed += block.shape[1]
        out = stream.resample_chunk(np.ascontiguousarray(block.T))
        given += len(out)
        yield np.asarray(out, np.float32).T
    if not fed:
        return
    tail = np.asarray(stream.resample_chunk(np.zeros((0, channels), np.float32), last=True), np.float32).T
    owed = max(0, round(fed * new / old) - given)
    yield np.pad(tail[:, :owed], ((0, 0), (0, max(0, owed - tail.shape[1]))))


def _finite(block: Block, path: Path) -> Block:
    if not np.isfinite(block).all():
        raise unreadable(path, "samples that are NaN or infinite", "write the file anew without them")
    return block


def _check(
    path: Path, sample_rate: int | None, channels: int | None, start: float, seconds: float | None
) -> None:
    wrong: tuple[str, object] | None = None
    if sample_rate is not None and sample_rate < 1:
        wrong = ("a sample rate of 1 Hz or more", sample_rate)
    elif channels is not None and channels < 1:
        wrong = ("1 channel or more", channels)
    elif not (math.isfinite(start) and start >= 0):
        wrong = ("a start of 0 s or more", start)
    elif seconds is not None and not (math.isfinite(seconds) and seconds > 0):
        wrong = ("more than 0 s", seconds)
    if wrong:
        raise AudioFileError("the file cannot be decoded so", site=str(path), wanted=wrong[0], got=wrong[1])
