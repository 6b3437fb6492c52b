"""Where the files of MusicGen or AudioGen are, in one of two layouts."""

from __future__ import annotations

import os
from pathlib import Path

from torchbend.interfaces.sources import TRANSFORMERS_FILES, fetched, has_transformers_layout, local_folder

__all__ = ["AUDIOCRAFT_FILES", "folder_of", "has_audiocraft_layout"]

AUDIOCRAFT_FILES = ("state_dict.bin", "compression_state_dict.bin")
"""Language model and codec, as audiocraft publishes them."""

_PURPOSE = "MusicGen and AudioGen"


def folder_of(source: str | os.PathLike[str], cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """The folder that holds a model's files.

    Args:
        source: a folder; or a name of the model hub (``"facebook/musicgen-small"``), whose files are fetched,
            or taken from the cache without a network.
        cache_dir: where what is fetched is kept; the hub's own place by default.

    Raises:
        CheckpointError: there is no such folder; or the name is unknown, or cannot be fetched.
        MissingExtraError: transformers is not installed.
    """
    found = local_folder(source)
    if found is not None:
        return found
    name = os.fspath(source)
    folder = fetched(name, cache_dir, TRANSFORMERS_FILES, purpose=_PURPOSE)
    if has_transformers_layout(folder):
        return folder
    return fetched(name, cache_dir, AUDIOCRAFT_FILES, purpose=_PURPOSE)


def has_audiocraft_layout(folder: Path) -> bool:
    """Whether a folder holds a model as audiocraft publishes it."""
    return all((folder / name).is_file() for name in AUDIOCRAFT_FILES)
