"""What a model gave, into files: sounds, or tensors by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import typer
from torch import Tensor

from torchbend.audio import write_audio
from torchbend.capture.structure import walk
from torchbend.display import replacing
from torchbend.errors import TorchbendError

__all__ = ["check_out", "flat", "write_output", "write_tensors"]

_SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")
_TENSORS = ".safetensors"


def check_out(path: Path, tensors_only: bool = False) -> Path:
    """Refuses a name that nothing can be written to, before the work and not after it.

    Raises:
        typer.BadParameter: the suffix is another one, or a folder has that name.
    """
    known = (_TENSORS,) if tensors_only else (*_SOUNDS, _TENSORS)
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
        path: a sound file, which takes the first tensor, or a ``.safetensors`` file, which takes all.
        value: what the model gave.
        sample_rate: of the sound, in Hz.
        normalize: bring the sound to full scale.

    Returns:
        The tensor that was written as sound.

    Raises:
        TorchbendError: there is no tensor, or no sample rate, or the file cannot be written.
    """
    tensors = flat(value)
    if not tensors:
        raise TorchbendError("the model gave no tensor", site=str(path), got=type(value).__name__)
    if path.suffix.lower() == _TENSORS:
        write_tensors(path, tensors)
        return None
    if sample_rate is None:
        raise TorchbendError(
            "nothing tells the sample rate of the output",
            site=str(path),
            next_step="give --sample-rate, as --sample-rate 44100, or write a .safetensors file",
        )
    sound = next(iter(tensors.values())).detach().cpu()
    write_audio(path, sound, sample_rate, normalize=normalize)
    return sound


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
