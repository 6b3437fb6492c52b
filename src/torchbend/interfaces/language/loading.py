"""A causal language model of transformers and its tokenizer, out of a folder, the model hub, or memory."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from torchbend.errors import CheckpointError
from torchbend.interfaces.dtypes import dtype_of
from torchbend.interfaces.libraries import accelerate, transformers
from torchbend.interfaces.sources import (
    TRANSFORMERS_FILES,
    fetched,
    folder_of,
    has_transformers_layout,
    local_folder,
)

__all__ = ["Loaded", "Location", "Options", "opened"]

Location = str | os.PathLike[str]

_PURPOSE = "a language model"
_EXAMPLE = "gpt2"
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    ImportError,
    pickle.UnpicklingError,
    SafetensorError,
)
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "vocab.txt")


@dataclass(frozen=True)
class Loaded:
    """A model with its tokenizer.

    Attributes:
        model: a causal language model of transformers.
        tokenizer: anything with ``encode(text)`` and ``decode(ids)``; None: only tokens can be given.
        source: where it comes from, for messages.
    """

    model: nn.Module
    tokenizer: Any = None
    source: str = "in memory"


@dataclass(frozen=True)
class Options:
    """How a model is loaded.

    Attributes:
        cache_dir: where what is fetched is kept.
        dtype: of the weights; ``"auto"``: as in the file.
        device: where it runs.
        device_map: for accelerate: devices of the parts; None: all on ``device``.
        offload_folder: where accelerate keeps what the map puts on disk.
        explicit: each attention computes its map step by step.
    """

    cache_dir: Location | None = None
    dtype: str | torch.dtype = "auto"
    device: str | torch.device = "cpu"
    device_map: str | Mapping[str, Any] | None = None
    offload_folder: Location | None = None
    explicit: bool = False


def opened(source: Location, options: Options, *, with_tokenizer: bool = True) -> Loaded:
    """The model of a folder or a hub name; no code that comes with it is run.

    Args:
        source: a folder in transformers' layout, or a name of the model hub.
        options: how it is loaded.
        with_tokenizer: read its tokenizer too.

    Raises:
        CheckpointError: there is no such model, it is of another kind, or its weights do not fit.
        MissingExtraError: a library is not installed.
    """
    library = transformers(_PURPOSE)
    if options.device_map is not None:
        accelerate("device_map")
    folder = _folder(source, options.cache_dir)
    site = str(folder)
    tokenizer = _tokenizer(library, folder) if with_tokenizer else None
    config = _config(library, folder)
    _check_kind(library, config, site)
    given: dict[str, Any] = {"dtype": _dtype(options.dtype), "trust_remote_code": False}
    if options.explicit:
        given["attn_implementation"] = "eager"
    if options.device_map is not None:
        given["device_map"] = options.device_map
        given["offload_folder"] = (
            None if options.offload_folder is None else os.fspath(options.offload_folder)
        )
    try:
        model, told = library.AutoModelForCausalLM.from_pretrained(
            folder, config=config, output_loading_info=True, local_files_only=True, **given
        )
    except _UNREADABLE as error:
        raise CheckpointError(
            "the model cannot be read",
            site=site,
            wanted="config.json and model.safetensors that fit each other, and need no program of their own",
            got=_first_line(error),
        ) from error
    _check_whole(told, site)
    if options.device_map is None:
        model = model.to(options.device)
    return Loaded(model.eval().requires_grad_(False), tokenizer, os.fspath(source))


def _dtype(dtype: str | torch.dtype) -> str | torch.dtype:
    """As the file has it, or as `dtype_of` reads it."""
    return dtype if isinstance(dtype, str) and dtype == "auto" else dtype_of(dtype)


def _folder(source: Location, cache_dir: Location | None) -> Path:
    folder = folder_of(source, cache_dir, example=_EXAMPLE, purpose=_PURPOSE)
    if not has_transformers_layout(folder) and local_folder(source, example=_EXAMPLE) is None:
        folder = fetched(
            os.fspath(source), cache_dir, (*TRANSFORMERS_FILES, "pytorch_model*"), example=_EXAMPLE
        )
    if not has_transformers_layout(folder):
        held = sorted(path.name for path in folder.iterdir())
        raise CheckpointError(
            "this folder holds no model of transformers",
            site=str(folder),
            wanted="config.json with model.safetensors",
            got=", ".join(held[:8]) or "nothing",
            next_step="give a folder that save_pretrained wrote",
        )
    return folder


def _config(library: Any, folder: Path) -> Any:
    try:
        return library.AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            "the configuration cannot be read",
            site=str(folder / "config.json"),
            wanted="a kind of model that transformers knows without a program of its own",
            got=_first_line(error),
        ) from error


def _check_kind(library: Any, config: Any, site: str) -> None:
    """Refuse what does not write a text from left to right.

    transformers would load an encoder too, and make up the weights that it lacks.
    """
    classes = library.MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), ())
    names = {kind.__name__ for kind in (classes if isinstance(classes, tuple) else (classes,))}
    built = list(getattr(config, "architectures", None) or ())
    writes = not getattr(config, "is_encoder_decoder", False) or any(name in names for name in built)
    if names and writes and (not built or any(name in names for name in built)):
        return
    raise CheckpointError(
        "this model does not write a text from left to right",
        site=site,
        wanted="a causal language model" + (f" ({', '.join(sorted(names))})" if names else ""),
        got=", ".join(built) or f"model_type {config.model_type}",
        next_step="BendedModule wraps any model of transformers",
    )


def _check_whole(told: Mapping[str, Any], site: str) -> None:
    missing = sorted(told.get("missing_keys", ()))
    if missing:
        raise CheckpointError(
            "weights are missing",
            site=site,
            wanted="all weights of the configuration",
            got=f"{len(missing)} missing: {', '.join(missing[:4])}",
        )


def _tokenizer(library: Any, folder: Path) -> Any:
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise _no_tokenizer(folder, "none of " + ", ".join(_TOKENIZERS))
    try:
        return library.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise _no_tokenizer(folder, _first_line(error)) from error


def _no_tokenizer(folder: Path, got: str) -> CheckpointError:
    return CheckpointError(
        "the tokenizer cannot be read",
        site=str(folder),
        wanted="tokenizer.json and tokenizer_config.json",
        got=got,
        next_step="copy them there from where the model came from, or give one: "
        "BendedLanguageModel(model, tokenizer=...)",
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
