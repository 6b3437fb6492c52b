"""The reference models: small ones of each configuration, and the arrays that they have to give."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from torchbend import rave
from torchbend.rave.pca import dims_for_fidelity
from torchbend.rave.presets import PRESETS

FOLDER = Path(__file__).parents[3] / "shared" / "rave_ref"


def configurations() -> list[str]:
    """The names of all reference models; none where the folder is missing."""
    return sorted(path.parent.name for path in FOLDER.glob("*/vectors.npz") if (path.parent / "run").is_dir())


@functools.cache
def arrays(name: str) -> dict[str, Tensor]:
    """All arrays of a reference."""
    with np.load(FOLDER / name / "vectors.npz") as held:
        return {key: torch.from_numpy(np.array(held[key])) for key in held.files}


@functools.cache
def manifest(name: str) -> dict[str, Any]:
    """What is told about a reference."""
    told: dict[str, Any] = json.loads((FOLDER / name / "manifest.json").read_text())
    return told


@functools.cache
def _loaded(name: str) -> rave.RAVE:
    return rave.load(FOLDER / name / "run")


def model(name: str) -> rave.RAVE:
    """A new model with the weights of a reference."""
    return copy.deepcopy(_loaded(name))


@contextlib.contextmanager
def without_randomness() -> Iterator[None]:
    """Normal numbers are 0 and uniform ones 0.5, as when the references were made; no gradients."""
    with (
        torch.no_grad(),
        mock.patch.object(torch, "randn_like", torch.zeros_like),
        mock.patch.object(torch, "randn", torch.zeros),
        mock.patch.object(torch, "rand_like", lambda x: torch.full_like(x, 0.5)),
    ):
        yield


def tolerance(name: str) -> float:
    """The largest error that is allowed, in standard deviations of the array."""
    return 5e-5 if "v3" in name else 1e-5


def exported_latents(model: rave.RAVE) -> int:
    """How many latents the original exports at a fidelity of 0.95."""
    return dims_for_fidelity(model.fidelity, 0.95, as_original=True)


def full_size_keys(name: str) -> dict[str, tuple[list[int], str]]:
    """Name, shape and type of everything in a full-size model."""
    keys: dict[str, tuple[list[int], str]] = json.loads((FOLDER / f"_keys_{name}.json").read_text())
    return keys


def full_size_config(name: str) -> rave.RAVEConfig:
    """The configuration that goes by this name: a preset, or one with options."""
    if name in PRESETS:
        return rave.preset(name)
    base, option = name.rsplit("_", 1)
    return rave.preset(base, option)
