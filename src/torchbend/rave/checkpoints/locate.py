"""Finding a checkpoint and its configuration where training leaves them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from torchbend.errors import CheckpointError
from torchbend.shipped import model_paths

__all__ = ["Source", "locate"]

UP = 3
"""Folders above a checkpoint in which its configuration is looked for, its own included."""


@dataclass(frozen=True)
class Source:
    """Where a model is.

    Attributes:
        file: that holds the weights.
        gin: that holds the configuration, if there is one.
    """

    file: Path
    gin: Path | None = None


def locate(path: str | os.PathLike[str]) -> Source:
    """The files that make a model.

    Args:
        path: a file, or a folder that holds checkpoints, at any depth: the newest is taken. The configuration
            is the ``config.gin`` in the checkpoint's folder or one of the two above, or the only one in the
            folder that was named. Where nothing has this path, it may be the name of a model that comes with
            the package: ``"sax"``.

    Raises:
        CheckpointError: there is nothing, or no checkpoint, at this path.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise CheckpointError(
            "this is no path of a model",
            wanted="the folder of a run, a .ckpt, a .safetensors or an exported .ts",
            got=repr(path)[:80] if isinstance(path, str | int | None) else type(path).__name__,
        )
    given = Path(path)
    if given.is_file():
        return Source(given, _configuration(given, None) if given.suffix == ".ckpt" else None)
    if not given.is_dir():
        shipped = model_paths()
        if os.fspath(path) in shipped:
            return Source(shipped[os.fspath(path)])
        raise CheckpointError(
            "there is no such file or folder",
            site=str(given),
            wanted="the folder of a run, a .ckpt, a .safetensors or an exported .ts",
            next_step="models that come with the package have names: " + ", ".join(map(repr, shipped)),
        )
    found = list(given.rglob("*.ckpt"))
    if found:
        newest = max(found, key=lambda file: (file.stat().st_mtime_ns, str(file)))
        return Source(newest, _configuration(newest, given))
    own = sorted(given.glob("*.safetensors")) + sorted(given.glob("*.ts"))
    if len(own) == 1:
        return Source(own[0])
    raise CheckpointError(
        "this folder holds no checkpoint" if not own else "this folder holds several models",
        site=str(given),
        wanted="a .ckpt in it or below, or one model in it",
        got=", ".join(sorted(entry.name for entry in given.iterdir())[:8]) or "an empty folder",
        next_step="name the file of the model" if own else _elsewhere(given),
    )


def _elsewhere(folder: Path) -> str | None:
    """A word to those who meant a model that comes with the package, and have a folder of its name."""
    if os.fspath(folder) not in model_paths():
        return None
    return f"for the model that comes with the package: torchbend.shipped.model_path({os.fspath(folder)!r})"


def _configuration(checkpoint: Path, folder: Path | None) -> Path | None:
    """The nearest ``config.gin``: in the folders above, those above the named one, then below that one."""
    above = list(checkpoint.absolute().parents)[:UP]
    if folder is not None:
        above += [folder.absolute(), *list(folder.absolute().parents)[: UP - 1]]
    for parent in above:
        if (parent / "config.gin").is_file():
            return parent / "config.gin"
    # Folders that nobody named are not searched: they may hold other runs.
    below = list(folder.rglob("config.gin")) if folder is not None else []
    return below[0] if len(below) == 1 else None
