"""What a model gave, into files: sounds, images, texts, or tensors by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import typer
from torch import Tensor

from torchbend.audio import write_audio
from torchbend.capture.structure import walk
from torchbend.display import replacing, write_text
from torchbend.errors import TorchbendError
from torchbend.interfaces.images import write_image
from torchbend.interfaces.sounds import SOUND_FILES

__all__ = ["check_out", "flat", "write_output", "write_tensors"]

_TENSORS, _IMAGE, _TEXT = ".safetensors", ".png", ".txt"


def check_out(path: Path, endings: Sequence[str] = (), texts: bool = False) -> Path:
    """Refuses a name that nothing can be written to, before the work and not after it.

    Args:
        path: the file.
        endings: that are known; by default those of everything that `write_output` writes.
        texts: whether texts may be written too.

    Raises:
        typer.BadParameter: the suffix is another one, or a folder has that name.
    """
    known = tuple(endings) or (*SOUND_FILES, _IMAGE, _TENSORS, *[_TEXT] * texts)
    if path.suffix.lower() not in known:
        raise typer.BadParameter(f"{path} should end in {' or '.join(known)}", param_hint="--out")
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder", param_hint="--out")
    return path


def flat(value: Any, name: str = "out") -> dict[str, Tensor]:
    """Each tensor inside a value, by the path that leads to it: ``out``, ``out.0``, ``out.logits``."""
    return {
        ".".join([name, *(str(step).removeprefix(".") for step in path)]): tensor
        for path, tensor in walk(value)
    }


def write_output(path: Path, value: Any, sample_rate: int | None, normalize: bool = False) -> Tensor | None:
    """Writes what a model gave.

    Args:
        path: a sound file or a ``.png`` file, which take the first tensor; a ``.safetensors`` file, which
            takes all; a ``.txt`` file, which takes texts.
        value: what the model gave.
        sample_rate: of the sound, in Hz.
        normalize: bring the sound to full scale, the images from black to white.

    Returns:
        The tensor that was written as sound or as images.

    Raises:
        TorchbendError: there is no tensor, no text or no sample rate, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix == _TEXT:
        _write_texts(path, value)
        return None
    tensors = flat(value)
    if not tensors:
        raise TorchbendError("the model gave no tensor", site=str(path), got=type(value).__name__)
    if suffix == _TENSORS:
        write_tensors(path, tensors)
        return None
    first = next(iter(tensors.values())).detach().cpu()
    if suffix == _IMAGE:
        write_image(path, _spread(first) if normalize else first)
    elif sample_rate is None:
        raise TorchbendError(
            "nothing tells the sample rate of the output",
            site=str(path),
            next_step="give --sample-rate, as --sample-rate 44100, or write a .safetensors file",
        )
    else:
        write_audio(path, first, sample_rate, normalize=normalize)
    return first


def _spread(images: Tensor) -> Tensor:
    """Images whose darkest value is 0, and the brightest 1."""
    low, high = torch.aminmax(images.float())
    return (images.float() - low) / (high - low).clamp(min=1e-12)


def _write_texts(path: Path, value: Any) -> None:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TorchbendError("the model gave no text", site=str(path), got=type(value).__name__)
    try:
        write_text(path, "".join(f"{text}\n" for text in texts))
    except OSError as error:
        raise TorchbendError("the file cannot be written", site=str(path), got=str(error)) from error


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Writes tensors by name; the file appears whole or not at all.

    Raises:
        TorchbendError: it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    plain = {name: _plain(tensor) for name, tensor in tensors.items()}
    try:
        with replacing(path) as temporary:
            save_file(plain, temporary)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise TorchbendError("the file cannot be written", site=str(path), got=str(error)) from error


def _plain(tensor: Tensor) -> Tensor:
    """On the CPU, dense, sharing memory with nothing else."""
    plain = tensor.detach().cpu()
    plain = plain if plain.layout == torch.strided else plain.to_dense()
    return plain.resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)
