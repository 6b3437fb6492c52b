"""Inputs of a model as a user writes them: sound files, tensors, random numbers, literals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import typer
from torch import Tensor

from torchbend.audio import read_audio
from torchbend.cli.words import literal, named, value_or_text
from torchbend.errors import TorchbendError
from torchbend.weights_file import load_tensors

__all__ = ["GivenInputs", "read_inputs"]

_TENSOR_FILES = (".safetensors", ".pt", ".pth", ".bin")
_SOUND_FILES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff")
_MOST_ELEMENTS = 1 << 31


@dataclass
class GivenInputs:
    """The arguments of a call.

    Attributes:
        in_order: those without a name.
        by_name: those with one.
        sample_rate: of the sounds among them, or as the user said; None where nothing tells.
    """

    in_order: list[Any] = field(default_factory=list)
    by_name: dict[str, Any] = field(default_factory=dict)
    sample_rate: int | None = None

    def __bool__(self) -> bool:
        return bool(self.in_order or self.by_name)


def read_inputs(
    specs: Sequence[str],
    sample_rate: int | None = None,
    mono: bool = False,
    seed: int = 0,
    device: str = "cpu",
    texts: bool = False,
) -> GivenInputs:
    """What the user gave, as arguments of a call.

    Args:
        specs: ``"SPEC"`` or ``"name=SPEC"``; see :func:`value_of`.
        sample_rate: resample sounds to this rate in Hz; by default all have to have the same one.
        mono: average the channels of sounds.
        seed: of random inputs; each one draws other numbers.
        device: where the tensors go.
        texts: whether what is no spec stands for itself, as a prompt does.

    Raises:
        typer.BadParameter: a spec is malformed.
        TorchbendError: a file cannot be read, or sounds have different rates.
    """
    given = GivenInputs(sample_rate=sample_rate)
    generator = torch.Generator().manual_seed(seed)
    for spec in specs:
        name, text = named(spec)
        value, rate = value_of(text, sample_rate, mono, generator, texts)
        if rate is not None:
            if given.sample_rate not in (None, rate):
                raise TorchbendError(
                    "the sounds have different sample rates",
                    site=text,
                    wanted=f"{given.sample_rate} Hz",
                    got=f"{rate} Hz",
                    next_step="--sample-rate resamples all of them",
                )
            given.sample_rate = rate
        value = value.to(device) if isinstance(value, Tensor) else value
        if name is None:
            given.in_order.append(value)
        else:
            given.by_name[name] = value
    return given


def value_of(
    text: str, sample_rate: int | None, mono: bool, generator: torch.Generator, texts: bool = False
) -> tuple[Any, int | None]:
    """One input, and the sample rate where it is a sound.

    Args:
        text: ``random:1,80,100`` (normal), ``zeros:``, ``ones:``, ``integers:BELOW:SHAPE``,
            ``line:FROM:TO:SHAPE`` (evenly spaced along the last dimension), a file of tensors with ``:KEY``
            where it holds several, a sound file, or a literal; a list becomes a tensor.
        sample_rate, mono: see :func:`read_inputs`.
        generator: of random numbers.
        texts: see :func:`read_inputs`.

    Raises:
        typer.BadParameter: the text is none of these.
        TorchbendError: a file cannot be read.
    """
    kind, _, rest = text.partition(":")
    if kind in ("random", "zeros", "ones"):
        shape = _shape(rest, text)
        if kind == "random":
            return torch.randn(shape, generator=generator), None
        return (torch.zeros if kind == "zeros" else torch.ones)(shape), None
    if kind == "integers" and rest:
        below, _, shape_text = rest.partition(":")
        high = int(_number(below, text))
        if high < 1:
            raise _unreadable(text)
        return torch.randint(high, _shape(shape_text, text), generator=generator), None
    if kind == "line" and rest.count(":") == 2:
        start, stop, shape_text = rest.split(":")
        shape = _shape(shape_text, text)
        line = torch.linspace(_number(start, text), _number(stop, text), shape[-1] if shape else 1)
        return line.expand(shape).clone(), None
    path, key = _path_and_key(text)
    if path.suffix.lower() in _TENSOR_FILES:
        return _tensor_of(path, key), None
    if path.suffix.lower() in _SOUND_FILES:
        waveform, rate = read_audio(text, sample_rate, mono)
        return waveform[None], rate
    value = (value_or_text if texts else literal)(text, "--input")
    if isinstance(value, str) and text[:1] not in "'\"" and not texts:
        raise _unreadable(text)
    return (torch.tensor(value), None) if _is_numbers(value) else (value, None)


def _unreadable(text: str) -> typer.BadParameter:
    return typer.BadParameter(
        f"{text!r} is no input: give a sound file, FILE.safetensors, FILE.pt, random:1,80,100, zeros:SHAPE, "
        "ones:SHAPE, integers:BELOW:SHAPE, line:FROM:TO:SHAPE, a number or a list",
        param_hint="--input",
    )


def _shape(text: str, whole: str) -> tuple[int, ...]:
    pieces = [piece.strip() for piece in text.replace("x", ",").split(",")] if text.strip() else []
    if not all(piece.isdecimal() for piece in pieces):
        raise _unreadable(whole)
    shape = tuple(map(int, pieces))
    if math.prod(shape) > _MOST_ELEMENTS:
        raise typer.BadParameter(f"{whole!r} has too many elements", param_hint="--input")
    return shape


def _number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _unreadable(whole) from None


def _is_numbers(value: Any) -> bool:
    """Whether a list, nested or not, holds numbers only and is a block."""
    if not isinstance(value, list) or not value:
        return False
    if all(isinstance(item, list) for item in value):
        return len({len(item) for item in value}) == 1 and all(_is_numbers(item) for item in value)
    return all(isinstance(item, int | float | complex) for item in value)


def _path_and_key(text: str) -> tuple[Path, str | None]:
    before, colon, key = text.rpartition(":")
    if colon and Path(before).suffix.lower() in _TENSOR_FILES and not Path(text).exists():
        return Path(before), key
    return Path(text), None


def _tensor_of(path: Path, key: str | None) -> Tensor:
    content = load_tensors(path)
    if isinstance(content, Tensor) and key is None:
        return content
    known = {n: t for n, t in content.items() if isinstance(t, Tensor)} if isinstance(content, dict) else {}
    if key is None and len(known) == 1:
        return next(iter(known.values()))
    if key in known:
        return known[str(key)]
    raise TorchbendError(
        "one tensor is wanted" if key is None else f"there is no tensor {key!r}",
        site=str(path),
        wanted=f"one of: {', '.join(map(str, list(known)[:12])) or 'none, the file holds no named tensors'}",
        got=f"{len(known)} tensors" if key is None else key,
        next_step=f"name it: {path}:{next(iter(known))}" if known else None,
    )
