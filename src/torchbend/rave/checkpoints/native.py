"""Models as this project writes them: one safetensors file, its configuration inside as JSON, no pickle."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import CheckpointError, RAVEConfigError
from torchbend.rave.checkpoints.state import State
from torchbend.rave.config import RAVEConfig
from torchbend.rave.config_json import from_dict, to_dict
from torchbend.rave.model import RAVE

__all__ = ["read_native", "save", "write_whole"]

FORMAT = "torchbend.rave/1"
"""Name and version of the format, under ``format`` in the file's metadata."""


def own_file(path: str | os.PathLike[str]) -> Path:
    """Where a file of this project's own is written: ``path``, with its ending if it has none.

    Raises:
        CheckpointError: the ending is another one.
    """
    target = Path(path)
    if target.suffix not in ("", ".safetensors"):
        raise CheckpointError(
            "models are written as safetensors",
            site=str(target),
            wanted=".safetensors",
            got=target.suffix,
            next_step=f"name it {target.name}.safetensors",
        )
    return target.with_suffix(".safetensors")


def save(
    model: RAVE, path: str | os.PathLike[str], *, half: bool = False, discriminator: bool = True
) -> Path:
    """Write a model to one file. The file appears whole or not at all.

    Args:
        model: with its weights as they are.
        path: of the file; ``.safetensors`` is added if it has no ending.
        half: store floating-point weights in 16 bits: half the size, about three decimal digits. The filter
            bank and the statistics keep 32 bits.
        discriminator: store it too; playing needs none.

    Returns:
        The path that was written.

    Raises:
        CheckpointError: the ending is another one, or the place cannot be written.
    """
    from safetensors.torch import save as as_bytes

    target = own_file(path)
    state = {
        name: _stored(name, value, half)
        for name, value in model.state_dict().items()
        if discriminator or not name.startswith("discriminator.")
    }
    metadata = {"format": FORMAT, "config": json.dumps(to_dict(model.config), allow_nan=False)}
    write_whole(target, as_bytes(state, metadata))
    return target


def read_native(path: Path) -> tuple[RAVEConfig, State]:
    """The configuration and the weights of a file that `save` wrote.

    Raises:
        CheckpointError: the file is damaged, or was written by something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt", device="cpu") as file:
            metadata = file.metadata() or {}
            config = _config(metadata, path)
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, RAVEConfigError):
            raise CheckpointError(
                "the configuration in this file cannot be used", site=str(path), got=str(error)
            ) from error
        raise CheckpointError(
            "the file is damaged, or no safetensors file",
            site=str(path),
            got=str(error).splitlines()[0][:200],
        ) from error
    return config, state


def _config(metadata: dict[str, str], path: Path) -> RAVEConfig:
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            "this file was not written by torchbend.rave",
            site=str(path),
            wanted=f"the format {FORMAT!r} in its metadata",
            got=", ".join(f"{key}={value[:40]!r}" for key, value in metadata.items()) or "no metadata",
        )
    content: Any = json.loads(metadata.get("config", ""))
    return from_dict(content)


def _stored(name: str, value: Tensor, half: bool) -> Tensor:
    exact = not value.is_floating_point() or name.startswith("pqmf.") or "." not in name
    kept = value.detach().to("cpu", torch.float16 if half and not exact else value.dtype)
    return kept.clone(memory_format=torch.contiguous_format)


def write_whole(target: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all.

    Raises:
        CheckpointError: the place cannot be written; an older file stays as it was.
    """
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(8)}.part")
    try:
        # Only a new file is opened: nobody else writes to it.
        number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise CheckpointError(
            "the model cannot be written there", site=str(target), got=str(error)
        ) from error
