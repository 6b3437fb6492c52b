"""Reading and writing sound files."""

from __future__ import annotations

import importlib
import math
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchbend.audio.resample import resample
from torchbend.display.atomic import replacing
from torchbend.display.output import log_warning
from torchbend.errors import AudioFileError, MissingExtraError

__all__ = ["read_audio", "write_audio"]

_MOST_CHANNELS = 1024
"""What libsndfile takes; more than this is a waveform with its dimensions exchanged."""

_PCM_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}

MP3_SETTLE = 1 << 15
"""Frames of an MP3 file that are decoded and dropped after a jump: they draw on bits of earlier ones, and
libsndfile gives up to a tenth of a second of zeros instead."""


def read_audio(
    path: str | os.PathLike[str],
    sample_rate: int | None = None,
    mono: bool = False,
    start: float = 0.0,
    duration: float | None = None,
) -> tuple[Tensor, int]:
    """Read a sound file (WAV, FLAC, OGG, MP3, AIFF and what else libsndfile reads).

    Args:
        path: the file.
        sample_rate: resample to this rate in Hz; the file's own rate by default.
        mono: average the channels into one.
        start: where to begin, in seconds, 0 or more.
        duration: how much to read, in seconds, above 0; to the end by default, or of a shorter file.

    Returns:
        The samples ``[channels, samples]`` as float32 in [-1, 1], and their sample rate.

    Raises:
        AudioFileError: the file is missing, empty or unreadable, or ``start`` lies behind its end.
    """
    source = Path(path)
    _check_span(source, start, duration)
    _check_present(source)
    soundfile = _soundfile()
    try:
        with soundfile.SoundFile(source) as file:
            rate = int(file.samplerate)
            first = min(round(start * rate), file.frames)
            settle = min(first, MP3_SETTLE) if file.format == "MP3" else 0
            file.seek(first - settle)
            count = -1 if duration is None else settle + max(1, round(duration * rate))
            samples = file.read(count, dtype="float32", always_2d=True)[settle:]
    except soundfile.SoundFileError as error:
        raise AudioFileError("the file cannot be read as sound", site=str(source), got=str(error)) from error
    if len(samples) == 0:
        raise AudioFileError(
            "there is no sound to read",
            site=str(source),
            wanted=f"samples after {start:g} s" if start else "at least one sample",
            got="the end of the file",
        )
    waveform = torch.from_numpy(samples.T.copy())
    if mono:
        waveform = waveform.mean(0, keepdim=True)
    if sample_rate is None:
        return waveform, rate
    return resample(waveform, rate, sample_rate), sample_rate


def write_audio(
    path: str | os.PathLike[str],
    waveform: Tensor,
    sample_rate: int,
    subtype: str | None = "PCM_16",
    normalize: bool = False,
) -> None:
    """Write a sound file; it appears whole or not at all. Missing folders are made.

    Args:
        path: the file; its suffix chooses the format (``.wav``, ``.flac``, ``.ogg``, ``.mp3``, ``.aiff``).
        waveform: floating point samples in [-1, 1]. What lies beyond is clipped and logged as a warning,
            except in the floating point subtypes, which keep it.
        sample_rate: in Hz, a whole number above 0.
        subtype: how samples are stored: ``"PCM_16"``, ``"PCM_24"``, ``"FLOAT"``, ...; ``None`` for the usual
            one of the format.
        normalize: scale the waveform so that its largest absolute sample is 1 (silence stays silent).

    Shape:
        ``[samples]``, ``[channels, samples]`` or ``[1, channels, samples]``.

    Raises:
        AudioFileError: another shape or type, no samples, NaN or infinity, an unknown format, or a file that
            cannot be written.
    """
    target = Path(path)
    samples = _channels_first(waveform, target)
    if int(sample_rate) != sample_rate or sample_rate <= 0:
        raise AudioFileError(
            "unknown sample rate", site=str(target), wanted="a whole number of Hz above 0", got=sample_rate
        )
    soundfile = _soundfile()
    container = _container(soundfile, target)
    stored = _subtype(soundfile, container, subtype, target)
    samples = _leveled(samples, target, normalize, clip=stored not in {"FLOAT", "DOUBLE"})
    samples = _quantized(samples, stored)
    try:
        with replacing(target) as temporary:
            soundfile.write(temporary, samples.T.numpy(), int(sample_rate), subtype=stored, format=container)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise AudioFileError("the file cannot be written", site=str(target), got=str(error)) from error


def _soundfile() -> Any:
    try:
        return importlib.import_module("soundfile")
    except (ImportError, OSError) as error:
        raise MissingExtraError("sound files need soundfile", next_step="pip install soundfile") from error


def _check_span(path: Path, start: float, duration: float | None) -> None:
    if not (math.isfinite(start) and start >= 0):
        raise AudioFileError("unknown start", site=str(path), wanted="0 s or more", got=f"{start} s")
    if duration is not None and not (math.isfinite(duration) and duration > 0):
        raise AudioFileError("unknown duration", site=str(path), wanted="more than 0 s", got=f"{duration} s")


def _check_present(path: Path) -> None:
    if not path.exists():
        raise AudioFileError("there is no such file", site=str(path), wanted="a sound file")
    if path.is_dir():
        raise AudioFileError("a folder is not a sound file", site=str(path), wanted="a sound file")
    if path.is_file() and path.stat().st_size == 0:
        raise AudioFileError("the file is empty", site=str(path), wanted="a sound file", got="0 bytes")


def _channels_first(waveform: Tensor, path: Path) -> Tensor:
    """The waveform as [channels, samples] of float32 or float64 on the CPU."""
    shape = list(waveform.shape)
    if not waveform.is_floating_point():
        raise AudioFileError(
            "a waveform of another type cannot be written",
            site=str(path),
            wanted="floating point samples in [-1, 1]",
            got=str(waveform.dtype),
        )
    samples = waveform.detach()
    if samples.dim() == 3 and shape[0] == 1:
        samples = samples[0]
    if samples.dim() == 1:
        samples = samples[None]
    if samples.dim() != 2 or samples.shape[0] > _MOST_CHANNELS or samples.numel() == 0:
        raise AudioFileError(
            "a waveform of this shape cannot be written",
            site=str(path),
            wanted="[samples], [channels, samples] or [1, channels, samples], not empty",
            got=shape,
            next_step="transpose it, so that channels come first"
            if samples.dim() == 2 and samples.numel()
            else "choose one entry of the batch, waveform[0]"
            if samples.dim() == 3
            else None,
        )
    samples = samples.cpu()
    return samples if samples.dtype == torch.float64 else samples.float()


def _leveled(samples: Tensor, path: Path, normalize: bool, clip: bool) -> Tensor:
    """Refuse what is not finite; normalise or clip."""
    finite = samples.isfinite()
    if not finite.all():
        bad = int((~finite).sum())
        raise AudioFileError(
            "the waveform holds NaN or infinity",
            site=str(path),
            wanted="finite samples",
            got=f"{bad} of {samples.numel()} samples are not, the first at {(~finite).nonzero()[0].tolist()}",
            next_step="waveform.nan_to_num() replaces them",
        )
    peak = samples.abs().max().item()
    if normalize:
        return samples / peak if peak > 0 else samples
    if peak > 1 and clip:
        log_warning(
            f"{path}: clipped, the peak is {20 * math.log10(peak):.2f} dB over full scale;"
            " normalize=True keeps the shape of the wave"
        )
        return samples.clamp(-1, 1)
    return samples


def _quantized(samples: Tensor, subtype: str) -> Tensor:
    """Samples rounded to the nearest step of an integer subtype, as int32; others as they are.

    libsndfile, left to convert floats, cuts towards minus infinity: twice the error, and an offset.
    """
    bits = _PCM_BITS.get(subtype)
    if bits is None:
        return samples
    full = 1 << (bits - 1)
    steps = (samples.double() * full).round().clamp(-full, full - 1)
    return (steps.long() << (32 - bits)).to(torch.int32)


def _container(soundfile: Any, path: Path) -> str:
    name = {"AIF": "AIFF", "OGA": "OGG", "OPUS": "OGG"}.get(path.suffix[1:].upper(), path.suffix[1:].upper())
    formats = soundfile.available_formats()
    if name not in formats:
        raise AudioFileError(
            "unknown sound file format",
            site=str(path),
            wanted="a name that ends in .wav, .flac, .ogg, .mp3 or .aiff",
            got=path.suffix or "no suffix",
        )
    return name


def _subtype(soundfile: Any, container: str, subtype: str | None, path: Path) -> str:
    if subtype is None:
        return str(soundfile.default_subtype(container))
    if not soundfile.check_format(container, subtype):
        raise AudioFileError(
            f"{container} files cannot hold {subtype}",
            site=str(path),
            wanted=" or ".join(soundfile.available_subtypes(container)),
            got=subtype,
            next_step="subtype=None takes the format's usual one",
        )
    return subtype.upper()
