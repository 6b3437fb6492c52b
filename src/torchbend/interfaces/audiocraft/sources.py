"""Where a model's files are: a folder, or a name of the model hub whose files are fetched once."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from torchbend.errors import CheckpointError
from torchbend.interfaces.audiocraft.libraries import transformers

__all__ = ["AUDIOCRAFT_FILES", "fetched", "folder_of", "has_audiocraft_layout", "has_transformers_layout"]

AUDIOCRAFT_FILES = ("state_dict.bin", "compression_state_dict.bin")
"""Language model and codec, as audiocraft publishes them."""

_TOKENIZER = ("tokenizer*", "special_tokens_map.json", "spiece.model")
_TRANSFORMERS_FILES = ("config.json", "model*.safetensors", "model.safetensors.index.json", *_TOKENIZER)
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


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
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    name = os.fspath(source)
    if path.exists() or path.is_absolute() or name.startswith((".", "~")) or not _HUB_NAME.fullmatch(name):
        raise CheckpointError(
            "there is no such folder",
            site=name,
            wanted="a folder with a model, or a name of the model hub (facebook/musicgen-small)",
            got="a file" if path.is_file() else "nothing",
            next_step="give the folder that the file is in" if path.is_file() else "look at the spelling",
        )
    folder = fetched(name, cache_dir, _TRANSFORMERS_FILES)
    if has_transformers_layout(folder):
        return folder
    return fetched(name, cache_dir, AUDIOCRAFT_FILES)


def has_transformers_layout(folder: Path) -> bool:
    """Whether a folder holds a model as transformers saves it."""
    weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
    return (folder / "config.json").is_file() and bool(weights)


def has_audiocraft_layout(folder: Path) -> bool:
    """Whether a folder holds a model as audiocraft publishes it."""
    return all((folder / name).is_file() for name in AUDIOCRAFT_FILES)


def fetched(name: str, cache_dir: str | os.PathLike[str] | None, patterns: tuple[str, ...]) -> Path:
    """The files of a hub name that match the patterns, in a folder of the cache.

    Raises:
        CheckpointError: they cannot be fetched, and are not in the cache.
        MissingExtraError: transformers is not installed.
    """
    transformers()
    import huggingface_hub
    from huggingface_hub import errors

    try:
        found: Any = huggingface_hub.snapshot_download(
            name, cache_dir=None if cache_dir is None else os.fspath(cache_dir), allow_patterns=list(patterns)
        )
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            "the model hub knows no model of that name, or does not show it to everyone",
            site=name,
            wanted="a folder, or a name such as facebook/musicgen-small",
            next_step="look at the spelling; for a private model log in with the command hf auth login",
        ) from error
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        raise CheckpointError(
            "the model cannot be fetched, and is not in the cache",
            site=name,
            wanted=f"a network, or its files below {cache_dir or 'the cache of the model hub'}",
            got=str(error).strip().split("\n")[0][:200],
            next_step="connect and try again; or fetch it elsewhere (hf download "
            f"{name} --local-dir FOLDER) and give that folder",
        ) from error
    return Path(found)
