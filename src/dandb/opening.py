"""Opening a file of a model, whatever it is."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from torchbend.errors import CheckpointError
from torchbend.interfaces import BendedRAVE
from torchbend.module import BendedModule
from torchbend.rave import RAVE
from torchbend.rave.checkpoints.exported import is_exported

__all__ = ["opened"]

# What torch raises for programs that it cannot read.
_BROKEN = (RuntimeError, OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def opened(model: Any, ema: bool = False, run_code: bool = False) -> BendedModule:
    """A model, ready to be bent.

    Args:
        model: a path, or a module.
        ema: take the averaged weights that a RAVE run kept.
        run_code: open other kinds of TorchScript, and ``.pt2``, which are programs.

    Raises:
        CheckpointError: it is no model, or one that would have to be run.
    """
    if isinstance(model, BendedModule):
        return model
    if isinstance(model, nn.Module):
        return BendedRAVE(model) if isinstance(model, RAVE) else BendedModule(model.eval())
    if isinstance(model, str | os.PathLike) and Path(model).suffix == ".pt2" and Path(model).is_file():
        return _program(Path(model), run_code)
    try:
        return BendedRAVE(model, ema=ema)
    except CheckpointError as error:
        path = Path(model) if isinstance(model, str | os.PathLike) else None
        if path is None or not path.is_file() or not is_exported(path):
            raise
        if _of_rave(path):
            raise
        return _program(path, run_code, error)


def _of_rave(path: Path) -> bool:
    """Whether an archive says that it holds a RAVE model."""
    with zipfile.ZipFile(path) as archive:
        return any("rave" in Path(name).parts for name in archive.namelist())


def _program(path: Path, run_code: bool, cause: CheckpointError | None = None) -> BendedModule:
    """A program that torch wrote, as a module."""
    if not run_code:
        raise CheckpointError(
            "this file is a program, and not of a RAVE model; it is opened only if you say so",
            site=str(path),
            got=cause.got if cause is not None else "a program of torch.export",
            next_step="if you trust it: import_model(path, run_code=True)",
        ) from cause
    try:
        if path.suffix == ".pt2":
            return BendedModule(torch.export.load(path).module())
        return BendedModule(torch.jit.load(str(path), map_location="cpu").eval())  # type: ignore[no-untyped-call]
    except _BROKEN as error:
        raise CheckpointError("the program cannot be read", site=str(path), got=str(error)[:200]) from error
