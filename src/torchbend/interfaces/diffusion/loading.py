"""A pipeline of diffusers out of a folder, the model hub, or memory; nothing of it is run as a program."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from torchbend.errors import CheckpointError
from torchbend.interfaces.dtypes import dtype_of
from torchbend.interfaces.libraries import diffusers
from torchbend.interfaces.sources import folder_of

__all__ = ["Location", "opened", "parts_of"]

Location = str | os.PathLike[str]

_PURPOSE = "a diffusion pipeline"
_EXAMPLE = "stable-diffusion-v1-5/stable-diffusion-v1-5"
_INDEX = "model_index.json"


def opened(
    source: Location,
    cache_dir: Location | None = None,
    *,
    dtype: str | torch.dtype = "float32",
    variant: str | None = None,
    safety_checker: bool = True,
) -> Any:
    """The pipeline of a folder or a hub name; its weights are in ``.safetensors`` files.

    Args:
        source: a folder in diffusers' layout (``model_index.json``), or a name of the model hub.
        cache_dir: where what is fetched is kept.
        dtype: of the weights.
        variant: of the files, as ``"fp16"``.
        safety_checker: False leaves it out where the pipeline has one.

    Raises:
        CheckpointError: there is no such pipeline, it brings code of its own, or a file is missing or broken.
        MissingExtraError: diffusers is not installed.
    """
    library = diffusers(_PURPOSE)
    wanted = dtype_of(dtype)
    folder = folder_of(source, cache_dir, files=_files(variant), example=_EXAMPLE, purpose=_PURPOSE)
    index = _index_of(folder)
    _check_index(library, index, folder)
    given: dict[str, Any] = {} if variant is None else {"variant": variant}
    if not safety_checker and "safety_checker" in index:
        given["safety_checker"] = None
        if "requires_safety_checker" in index:
            given["requires_safety_checker"] = False
    try:
        pipeline = library.DiffusionPipeline.from_pretrained(
            folder,
            torch_dtype=wanted,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            **given,
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, AttributeError) as error:
        raise CheckpointError(
            "the pipeline cannot be read",
            site=str(folder),
            wanted="a folder for each part, with its configuration and its weights in .safetensors files",
            got=_first_line(error),
            next_step="save it again: pipeline.save_pretrained(folder)",
        ) from error
    for part in parts_of(pipeline).values():
        part.eval().requires_grad_(False)
    return pipeline


def parts_of(pipeline: Any) -> dict[str, nn.Module]:
    """The modules of a pipeline by the names that it gives them.

    Raises:
        CheckpointError: it is no pipeline of diffusers, or none of its modules denoises.
    """
    library = diffusers(_PURPOSE)
    if not isinstance(pipeline, library.DiffusionPipeline):
        raise CheckpointError(
            "this is no pipeline of diffusers",
            site=type(pipeline).__name__,
            wanted="a DiffusionPipeline, a folder with model_index.json, or a name of the model hub",
            next_step="BendedModule(model) bends a single model",
        )
    return {name: part for name, part in pipeline.components.items() if isinstance(part, nn.Module)}


def _files(variant: str | None) -> tuple[str, ...]:
    """What is fetched of a pipeline; no program and no pickle is among it, and the weights come once."""
    middle = "" if variant is None else f".{variant}"
    weights = (
        f"*/{name}{part}"
        for name in ("diffusion_pytorch_model", "model")
        for part in (
            f"{middle}.safetensors",
            f"{middle}-0*-of-0*.safetensors",
            f"-0*-of-0*{middle}.safetensors",
        )
    )
    return (_INDEX, "*/*.json", "*/merges.txt", "*/vocab.txt", "*/*.model", *weights)


def _index_of(folder: Path) -> Mapping[str, Any]:
    path = folder / _INDEX
    if not path.is_file():
        held = sorted(entry.name for entry in folder.iterdir())
        raise CheckpointError(
            "this folder holds no pipeline of diffusers",
            site=str(folder),
            wanted=f"{_INDEX}, and a folder for each part",
            got=", ".join(held[:8]) or "nothing",
            next_step="give a folder that pipeline.save_pretrained wrote",
        )
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            "the pipeline's index cannot be read", site=str(path), got=str(error)
        ) from error
    if not isinstance(index, dict):
        raise CheckpointError(
            "the pipeline's index cannot be read",
            site=str(path),
            wanted="an object",
            got=type(index).__name__,
        )
    return index


def _check_index(library: Any, index: Mapping[str, Any], folder: Path) -> None:
    """Refuse what only code that comes with the pipeline could build."""
    name = index.get("_class_name")
    kind = getattr(library, name, None) if isinstance(name, str) else None
    if not (isinstance(kind, type) and issubclass(kind, library.DiffusionPipeline)):
        raise _foreign(folder, "_class_name", name)
    homes = ("diffusers", "transformers", *vars(library.pipelines))
    for part, described in index.items():
        if not isinstance(described, list) or part.startswith("_"):
            continue
        home = described[0] if described else None
        if len(described) != 2 or (home is not None and home not in homes):
            raise _foreign(folder, part, described)


def _foreign(folder: Path, part: str, got: object) -> CheckpointError:
    return CheckpointError(
        "this pipeline is built by code of its own, which is not run",
        site=f"{folder / _INDEX}: {part}",
        wanted="classes of diffusers and transformers",
        got=str(got)[:120],
        next_step="build the pipeline yourself, if you trust its code, and give the object: "
        "BendedDiffusion(pipeline)",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0][:200]
