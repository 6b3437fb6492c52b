"""Priors as this project writes them: one safetensors file, both configurations inside as JSON, no pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

from torchbend.errors import CheckpointError
from torchbend.rave.checkpoints.native import own_file, write_whole
from torchbend.rave.checkpoints.state import State
from torchbend.rave.config import RAVEConfig
from torchbend.rave.config_json import from_dict, to_dict
from torchbend.rave.prior.config import PriorConfig, prior_from_dict, prior_to_dict
from torchbend.rave.prior.prior import Prior

__all__ = ["read_prior", "save_prior"]

FORMAT = "torchbend.rave.prior/1"
"""Name and version of the format, under ``format`` in the file's metadata."""


def save_prior(prior: Prior, path: str | os.PathLike[str], *, discriminator: bool = False) -> Path:
    """Write a prior and its model to one file. The file appears whole or not at all.

    Args:
        prior: with its weights as they are.
        path: of the file; ``.safetensors`` is added if it has no ending.
        discriminator: store that of the model too; playing needs none.

    Returns:
        The path that was written.

    Raises:
        CheckpointError: the ending is another one, or the place cannot be written.
    """
    from safetensors.torch import save as as_bytes

    target = own_file(path)
    state = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in prior.state_dict().items()
        if discriminator or not name.startswith("synth.discriminator.")
    }
    metadata = {
        "format": FORMAT,
        "prior": json.dumps(prior_to_dict(prior.config)),
        "config": json.dumps(to_dict(prior.synth.config), allow_nan=False),
    }
    write_whole(target, as_bytes(state, metadata))
    return target


def read_prior(path: Path) -> tuple[RAVEConfig, PriorConfig, State]:
    """Both configurations and all weights of a file that `save_prior` wrote.

    Raises:
        CheckpointError: the file is damaged, or was written by something else.
        RAVEConfigError: a configuration in it cannot be used.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt", device="cpu") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            "the file is damaged, or no safetensors file",
            site=str(path),
            got=str(error).splitlines()[0][:200],
        ) from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            "this file holds no prior",
            site=str(path),
            wanted=f"the format {FORMAT!r} in its metadata",
            got=metadata.get("format", "no format"),
        )
    try:
        parts = [json.loads(metadata.get(name, "")) for name in ("config", "prior")]
    except ValueError as error:
        raise CheckpointError(
            "the configuration in this file is damaged", site=str(path), got=str(error)
        ) from error
    return from_dict(parts[0]), prior_from_dict(parts[1]), state
