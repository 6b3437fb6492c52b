"""Where a model's files are: a folder, or a name of the model hub whose files are fetched once."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from torch import Tensor

from torchbend.errors import CheckpointError
from torchbend.interfaces.libraries import transformers
from torchbend.weights_file import load_tensors

__all__ = [
    "TRANSFORMERS_FILES",
    "fetched",
    "folder_of",
    "has_transformers_layout",
    "local_folder",
    "model_type",
    "weights_of",
]

TRANSFORMERS_FILES = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer*",
    "special_tokens_map.json",
    "spiece.model",
    "vocab.json",
    "merges.txt",
)
"""What is fetched of a model in transformers' layout; no program is among it."""

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")

Location = str | os.PathLike[str]


def folder_of(
    source: Location,
    cache_dir: Location | None = None,
    *,
    files: tuple[str, ...] = TRANSFORMERS_FILES,
    example: str = "facebook/musicgen-small",
    purpose: str = "this model",
) -> Path:
    """The folder that holds a model's files.

    Args:
        source: a folder; or a name of the model hub, whose files are fetched, or taken from the cache without
            a network.
        cache_dir: where what is fetched is kept; the hub's own place by default.
        files: patterns of the files that are fetched.
        example: a name of the hub, for messages.
        purpose: what needs the library, for messages.

    Raises:
        CheckpointError: there is no such folder; or the name is unknown, or cannot be fetched.
        MissingExtraError: the library that fetches is not installed.
    """
    found = local_folder(source, example=example)
    if found is not None:
        return found
    return fetched(os.fspath(source), cache_dir, files, example=example, purpose=purpose)


def local_folder(source: Location, *, example: str = "facebook/musicgen-small") -> Path | None:
    """The folder, where ``source`` is one; None where it is a name that the model hub may know.

    Raises:
        CheckpointError: it is neither.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    name = os.fspath(source)
    if path.exists() or path.is_absolute() or name.startswith((".", "~")) or not _HUB_NAME.fullmatch(name):
        raise CheckpointError(
            "there is no such folder",
            site=name,
            wanted=f"a folder with a model, or a name of the model hub ({example})",
            got="a file" if path.is_file() else "nothing",
            next_step="give the folder that the file is in" if path.is_file() else "look at the spelling",
        )
    return None


def fetched(
    name: str,
    cache_dir: Location | None,
    patterns: tuple[str, ...],
    *,
    example: str = "facebook/musicgen-small",
    purpose: str = "this model",
) -> Path:
    """The files of a hub name that match the patterns, in a folder of the cache; arguments as of `folder_of`.

    Raises:
        CheckpointError: they cannot be fetched, and are not in the cache.
        MissingExtraError: the library that fetches is not installed.
    """
    transformers(purpose)
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
            wanted=f"a folder, or a name such as {example}",
            next_step="look at the spelling; for a private model log in with the command hf auth login",
        ) from error
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        raise CheckpointError(
            "the model cannot be fetched, and is not in the cache",
            site=name,
            wanted=f"a network, or its files below {cache_dir or 'the cache of the model hub'}",
            got=str(error).strip().split("\n")[0].removeprefix("Got: ")[:200],
            next_step="connect and try again; or fetch it elsewhere (hf download "
            f"{name} --local-dir FOLDER) and give that folder",
        ) from error
    return Path(found)


def has_transformers_layout(folder: Path) -> bool:
    """Whether a folder holds a model as transformers saves it."""
    weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
    return (folder / "config.json").is_file() and bool(weights)


def model_type(folder: Path) -> str | None:
    """What ``config.json`` calls the architecture.

    Raises:
        CheckpointError: there is no such file, or it cannot be read.
    """
    path = folder / "config.json"
    try:
        kind = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError("the configuration cannot be read", site=str(path), got=str(error)) from error
    return None if kind is None else str(kind)


def weights_of(folder: Path) -> dict[str, Tensor]:
    """All weights of a folder in transformers' layout; large models have theirs in several files.

    Raises:
        WeightsFileError: a file cannot be read without running code.
    """
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        files = [folder / name for name in sorted(named)]
    elif (folder / "model.safetensors").is_file():
        files = [folder / "model.safetensors"]
    found: dict[str, Tensor] = {}
    for file in files:
        found.update(load_tensors(file))
    return found
