"""Sounds on their way into a model, and out of it: what fits is made to fit, the rest is told."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from torchbend.audio import read_audio, write_audio
from torchbend.errors import AudioFileError, GenerationError, NonFiniteError, ShapeError

__all__ = ["SOUND_FILES", "finite", "one_file", "read_sounds", "signals", "whole_frames", "write_sound"]

Path = str | os.PathLike[str]

SOUND_FILES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")
"""Endings of the sound files that can be written."""


def read_sounds(paths: Sequence[Path], sample_rate: int, channels: int) -> Tensor:
    """Sound files, side by side.

    Args:
        paths: the files; shorter ones are followed by silence.
        sample_rate: that they are resampled to, in Hz.
        channels: that they get: they are averaged to one, one is repeated, those past the last are left out.

    Returns:
        Shape ``[files, channels, T]``.

    Raises:
        AudioFileError: a file cannot be read or has too few channels, or none is given.
    """
    if not paths:
        raise AudioFileError("no sound file was given", site="paths", wanted="at least one path")
    sounds = [_fitted(read_audio(path, sample_rate)[0], channels, path) for path in paths]
    longest = max(sound.shape[-1] for sound in sounds)
    return torch.stack([F.pad(sound, (0, longest - sound.shape[-1])) for sound in sounds])


def _fitted(sound: Tensor, channels: int, path: Path) -> Tensor:
    held = sound.shape[0]
    if held == channels:
        return sound
    if channels == 1:
        return sound.mean(0, keepdim=True)
    if held == 1:
        return sound.expand(channels, -1)
    if held < channels:
        raise AudioFileError(
            "the file has too few channels for this model",
            site=str(path),
            wanted=f"{channels}, or 1",
            got=held,
        )
    return sound[:channels]


def one_file(inputs: Sequence[str], message: str, next_step: str | None = None) -> str:
    """The one sound file of the inputs of a `render`.

    Args:
        inputs: what was given.
        message: what is said where it is not one.
        next_step: for those who gave several.

    Raises:
        GenerationError: there is none, or there are several.
    """
    if len(inputs) != 1:
        raise GenerationError(
            message,
            site="inputs",
            wanted="one sound file",
            got=f"{len(inputs)}: {', '.join(map(str, inputs[:4]))}" if inputs else "none",
            next_step=next_step if inputs else None,
        )
    return inputs[0]


def write_sound(path: Path, x: Tensor, sample_rate: int) -> None:
    """Write one signal to a sound file.

    Args:
        path: of the file; samples are stored as is usual for its format, 16 bits in WAV, FLAC and AIFF.
        x: shape ``[C, T]`` or ``[1, C, T]``.
        sample_rate: in Hz.

    Raises:
        AudioFileError: the file cannot be written.
        ShapeError: there are several signals.
    """
    if x.dim() == 3 and len(x) != 1:
        raise ShapeError(
            "one file holds one signal",
            site=str(path),
            wanted="[channels, time] or [1, channels, time]",
            got=list(x.shape),
            next_step="write each signal of the batch to a file of its own",
        )
    write_audio(path, x[0] if x.dim() == 3 else x, sample_rate, subtype=None)


def signals(x: object, sample_rate: int | None, wanted_rate: int) -> Tensor:
    """A batch of audio.

    Args:
        x: shape ``[B, C, T]``, ``[C, T]`` or ``[T]``.
        sample_rate: of ``x``, in Hz, where it is known.
        wanted_rate: of the model, in Hz.

    Returns:
        Shape ``[B, C, T]``.

    Raises:
        AudioFileError: the sample rate is another.
        ShapeError: it is no tensor of real numbers, or one of whole numbers.
        NonFiniteError: it holds NaN or infinity.
    """
    if sample_rate is not None and sample_rate != wanted_rate:
        raise AudioFileError(
            "the audio has another sample rate than the model",
            site="sample_rate",
            wanted=f"{wanted_rate} Hz",
            got=f"{sample_rate} Hz",
            next_step=f"torchbend.audio.resample(x, {sample_rate}, {wanted_rate})",
        )
    wanted = "audio of shape [batch, channels, time], or sound files"
    audio = finite(x, "x", wanted)
    if not audio.is_floating_point():
        raise ShapeError(
            "samples are numbers from -1 to 1, and these are whole ones",
            site="x",
            wanted=wanted,
            got=audio.dtype,
            next_step="x / 32768 makes samples of those of 16 bits",
        )
    audio = audio.reshape(1, -1) if audio.dim() <= 1 else audio
    return audio[None] if audio.dim() == 2 else audio


def finite(x: object, name: str, what: str) -> Tensor:
    """``x`` itself, where it is a tensor of finite real numbers.

    Args:
        x: whatever was given.
        name: of the argument.
        what: is wanted.

    Raises:
        ShapeError: it is no tensor of real numbers.
        NonFiniteError: it holds NaN or infinity.
    """
    if not isinstance(x, Tensor) or x.is_complex() or x.is_meta:
        raise ShapeError(
            "this is no tensor of real numbers",
            site=name,
            wanted=what,
            got=f"{x.dtype} on {x.device}" if isinstance(x, Tensor) else type(x).__name__,
            next_step="torch.as_tensor(x) makes a tensor of an array" if hasattr(x, "__array__") else None,
        )
    if not bool(torch.isfinite(x).all()):
        raise NonFiniteError(
            "the input holds NaN or infinity",
            site=name,
            wanted="finite numbers",
            got=f"{int((~torch.isfinite(x)).sum())} that are not",
            next_step="torch.nan_to_num replaces them",
        )
    return x


def whole_frames(x: Tensor, ratio: int) -> Tensor:
    """Audio that ends with a frame: silence is added.

    Args:
        x: shape ``[..., T]``.
        ratio: samples of a frame.
    """
    missing = -x.shape[-1] % ratio
    return F.pad(x, (0, missing)) if missing else x
