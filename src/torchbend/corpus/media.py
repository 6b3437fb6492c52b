"""What libsndfile does not read (AAC, WMA, ALAC, the sound of a film), through PyAV or the ffmpeg program."""

from __future__ import annotations

import importlib
import itertools
import math
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from torchbend.corpus.sources import BLOCK, Block, Opener, Source, unreadable
from torchbend.errors import TorchbendError

__all__ = ["media_opener", "open_ffmpeg", "open_pyav"]

_SETTLE = 0.5
"""Seconds that are decoded and dropped after a jump, since codecs carry state from frame to frame."""

_AU_HEADER = struct.Struct(">4sIIIII")
_AU_FLOAT = 6


def media_opener() -> Opener | None:
    """How to open other media here: through PyAV, else through ffmpeg; None where neither is installed."""
    try:
        importlib.import_module("av")
    except ImportError:
        return open_ffmpeg if shutil.which("ffmpeg") else None
    return open_pyav


@contextmanager
def open_pyav(path: Path) -> Iterator[Source]:
    """Open the first sound stream of a file through PyAV (``torchbend[media]``).

    Only local files are opened, whatever a playlist names. The sample rate is that of the first decoded
    frame, since headers of some AAC files tell half of it.

    Raises:
        AudioFileError: the file holds no sound, or is damaged.
    """
    av: Any = importlib.import_module("av")
    with _container(av, path) as container:
        if not container.streams.audio:
            raise unreadable(path, "no sound stream")
        stream = container.streams.audio[0]
        head = next(_decoded(av, container, stream, path), None)
        if head is None:
            raise unreadable(path, "a sound stream without a frame")
        rate, channels = int(head.sample_rate), len(head.layout.channels)
        frames = _told_frames(container, stream, rate)
    yield Source(rate, channels, frames, lambda first, count: _played(av, path, head, first, count))


@contextmanager
def _container(av: Any, path: Path) -> Iterator[Any]:
    try:
        options = {"protocol_whitelist": "file"}
        container = av.open(f"file:{path}", options=options, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise unreadable(path, error) from error
    with container:
        yield container


def _told_frames(container: Any, stream: Any, rate: int) -> int | None:
    """The length that the stream, or else the file, tells."""
    if stream.duration and stream.time_base:
        return int(stream.duration * stream.time_base * rate)
    if container.duration:
        return int(container.duration * rate / 1_000_000 + 0.5)
    return None


def _decoded(av: Any, container: Any, stream: Any, path: Path) -> Iterator[Any]:
    try:
        yield from container.decode(stream)
    except (av.error.FFmpegError, ValueError) as error:
        raise unreadable(path, error, "the file is damaged: copy or decode it anew") from error


def _played(av: Any, path: Path, head: Any, first: int, count: int | None) -> Iterator[Block]:
    """Frames from ``first`` on, counted from the first one that the codec gives.

    The file is opened anew each time: a decoder keeps a state, of its noise generator too, and a file
    shall give the same samples whenever it is read.
    """
    rate, channels = head.sample_rate, len(head.layout.channels)
    jump = max(0.0, first / rate - _SETTLE) if head.pts is not None else 0.0
    place, end = None, None if count is None else first + count
    with _container(av, path) as container:
        stream = container.streams.audio[0]
        if jump:
            _seek(av, container, stream, path, int(jump / stream.time_base) + head.pts)
        for frame in _decoded(av, container, stream, path):
            if frame.sample_rate != rate or len(frame.layout.channels) != channels:
                raise unreadable(path, "the sample rate or the channels change on the way")
            if place is None:
                place = _place(frame, head, path) if jump else 0
            samples = _floats(frame, channels)
            begin, place = place, place + samples.shape[1]
            low, high = max(0, first - begin), samples.shape[1] if end is None else end - begin
            if low < min(high, samples.shape[1]):
                yield np.ascontiguousarray(samples[:, low:high])
            if end is not None and place >= end:
                return


def _seek(av: Any, container: Any, stream: Any, path: Path, place: int) -> None:
    try:
        container.seek(place, stream=stream)
    except (av.error.FFmpegError, ValueError) as error:
        raise unreadable(path, error) from error


def _place(frame: Any, head: Any, path: Path) -> int:
    """How many samples lie before a frame."""
    if frame.pts is None:
        raise unreadable(path, "a stream that does not tell the time of its frames")
    return int((frame.pts - head.pts) * head.time_base * head.sample_rate + 0.5)


def _floats(frame: Any, channels: int) -> Block:
    """The samples of a decoded frame as ``[channels, n]``; integers are scaled to [-1, 1]."""
    raw: NDArray[Any] = frame.to_ndarray()
    samples = raw if frame.format.is_planar else raw.reshape(-1, channels).T
    if samples.dtype == np.uint8:
        return ((samples.astype(np.float32) - 128) / 128).astype(np.float32)
    if np.issubdtype(samples.dtype, np.integer):
        return (samples / float(-int(np.iinfo(samples.dtype).min))).astype(np.float32)
    return samples.astype(np.float32)


@contextmanager
def open_ffmpeg(path: Path) -> Iterator[Source]:
    """Open the first sound stream of a file through the ``ffmpeg`` program.

    Raises:
        AudioFileError: ffmpeg finds no sound in the file.
    """
    head = _au_header(path)
    yield Source(*head, None, lambda first, count: _piped(path, head, first, count))


def _au_header(path: Path) -> tuple[int, int]:
    """The sample rate and the channels that ffmpeg tells in the header of what it writes."""
    with _started(path) as running:
        return _read_header(running, path)


def _piped(path: Path, head: tuple[int, int], first: int, count: int | None) -> Iterator[Block]:
    with _started(path) as running:
        if _read_header(running, path) != head:
            raise unreadable(path, "the file changed while it was read")
        left: float = math.inf if count is None else count
        for block in _au_blocks(running.output, head[1], first):
            yield block if block.shape[1] <= left else np.ascontiguousarray(block[:, : int(left)])
            left -= block.shape[1]
            if left <= 0:
                return
        if running.process.wait() != 0:
            raise unreadable(path, running.complaint())


def _au_blocks(output: IO[bytes], channels: int, skip: int) -> Iterator[Block]:
    width = 4 * channels
    for size in itertools.chain(_pieces(skip), itertools.repeat(BLOCK)):
        data = output.read(size * width)
        data = data[: len(data) - len(data) % width]
        if not data:
            return
        if skip > 0:
            skip -= size
            continue
        yield np.ascontiguousarray(np.frombuffer(data, ">f4").reshape(-1, channels).T.astype(np.float32))


def _pieces(total: int) -> Iterator[int]:
    while total > 0:
        yield min(total, BLOCK)
        total -= BLOCK


@dataclass(frozen=True)
class _Running:
    """A running ffmpeg, and the file that takes its complaints."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]

    @property
    def output(self) -> IO[bytes]:
        if self.process.stdout is None:
            raise TorchbendError("ffmpeg was started without a pipe")
        return self.process.stdout

    def complaint(self) -> str:
        """The last line that it wrote to stderr."""
        self.process.wait()
        self.said.seek(0)
        lines = self.said.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "nothing from ffmpeg"


@contextmanager
def _started(path: Path) -> Iterator[_Running]:
    """ffmpeg, writing 32 bit floats in an AU container, whose header tells rate and channels."""
    words = ["ffmpeg", "-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe", "-i", f"file:{path}"]
    words += ["-map", "0:a:0", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        try:
            yield _Running(process, said)
        finally:
            process.kill()
            process.communicate()


def _read_header(running: _Running, path: Path) -> tuple[int, int]:
    head = running.output.read(_AU_HEADER.size)
    if len(head) < _AU_HEADER.size:
        raise unreadable(path, running.complaint())
    magic, offset, _, encoding, rate, channels = _AU_HEADER.unpack(head)
    if magic != b".snd" or encoding != _AU_FLOAT or not rate or not channels:
        raise unreadable(path, "an answer of ffmpeg that is no sound")
    running.output.read(offset - _AU_HEADER.size)
    return rate, channels
