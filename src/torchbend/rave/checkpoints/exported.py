"""Exported models (``.ts``), read without running them."""

from __future__ import annotations

import zipfile
from pathlib import Path

from torchbend.errors import CheckpointError
from torchbend.rave.checkpoints.state import State
from torchbend.rave.config import RAVEConfig

__all__ = ["is_exported", "read_exported"]


def is_exported(path: Path) -> bool:
    """Whether a file is a TorchScript archive."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.split("/", 1)[-1].startswith("code/") for name in archive.namelist())


def read_exported(path: Path) -> tuple[RAVEConfig, State, list[str]]:
    """Configuration and weights of an exported model."""
    raise CheckpointError("exported models cannot be read yet", site=str(path))
