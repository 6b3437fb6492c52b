"""Exported files: written whole or not at all, with what they are beside them."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from torchbend.bending.engine import Engine
from torchbend.display.atomic import replacing, write_text
from torchbend.errors import ExportError
from torchbend.export.check.mark import write_mark

__all__ = ["facts_of", "write_sidecar", "write_torchscript"]


def facts_of(engine: Engine, **more: Any) -> dict[str, Any]:
    """Where an export comes from: versions, the model's weights as a hash, controls, bends.

    Args:
        engine: of the bent model.
        more: further facts.
    """
    controls = [
        {"name": c.name, "type": c.type.__name__, "value": _plain(c.value), "range": list(c.range)}
        for c in engine.controls
    ]
    return {
        "torchbend": version("torchbend"),
        "torch": torch.__version__,
        "model": type(engine.module).__name__,
        "weights_sha256": weights_hash(engine.module),
        "controls": controls,
        "bends": [{"callback": repr(bend.callback), "sites": list(bend.keys)} for bend in engine.bends],
        **more,
    }


def weights_hash(module: nn.Module) -> str:
    """SHA-256 over names and contents of all weights and buffers of a module, not bent."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if isinstance(tensor, torch.Tensor):
            digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_torchscript(
    module: torch.jit.ScriptModule,
    path: str | os.PathLike[str],
    facts: Mapping[str, Any],
    extra: Mapping[str, str] | None = None,
) -> Path:
    """Save a module with its facts inside, and beside it as JSON.

    Args:
        module: what is saved.
        path: of the file.
        facts: where it comes from.
        extra: further texts in the file, by name.

    Raises:
        ExportError: the ending is not ``.ts``, or the place cannot be written.
    """
    target = Path(path)
    if target.suffix not in (".ts", ".pt"):
        raise ExportError(
            "TorchScript files end in .ts", site=str(target), wanted=".ts", got=target.suffix or "no ending"
        )
    try:
        with replacing(target) as temporary:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                torch.jit.save(module, str(temporary), _extra_files=dict(extra or {}))
            write_mark(temporary, facts)
        write_sidecar(target, facts)
    except OSError as error:
        raise ExportError("the file cannot be written", site=str(target), got=str(error)) from error
    return target


def write_sidecar(target: Path, facts: Mapping[str, Any]) -> None:
    """The facts of an exported file as JSON beside it, with its own hash."""
    held = {"file": target.name, "file_sha256": hashlib.sha256(target.read_bytes()).hexdigest(), **facts}
    write_text(target.with_suffix(".json"), json.dumps(held, indent=2) + "\n")


def _plain(value: Any) -> Any:
    return [value.real, value.imag] if isinstance(value, complex) else value
