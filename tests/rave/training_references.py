"""The reference training steps: the same models, losses and gradients, made by this package."""

from __future__ import annotations

import functools
import zlib
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from torchbend.rave.config import DiscriminatorConfig, RAVEConfig
from torchbend.rave.discriminators import Features, build_discriminator
from torchbend.rave.losses.step import discriminator_losses, generator_losses, logged, total
from torchbend.rave.model import RAVE
from torchbend.rave.presets import preset

from . import references

BETA = 0.1
PHASES = ("phase1_gen", "phase2_gen", "phase2_dis")


def names() -> list[str]:
    """The references that come with losses."""
    return [name for name in references.configurations() if "losses" in references.manifest(name)]


def losses(name: str) -> dict[str, Any]:
    """The stored losses."""
    told: dict[str, Any] = references.manifest(name)["losses"]
    return told


@functools.cache
def config(name: str) -> RAVEConfig:
    """The configuration of a reference."""
    told = references.manifest(name)
    files = [file.removesuffix(".gin") for file in told["config_files"]]
    pairs = (binding.split("=") for binding in told["bindings"])
    return preset(*files, **{key.strip().lower(): int(value) for key, value in pairs})


@functools.cache
def _regenerated(config: DiscriminatorConfig) -> dict[str, Tensor]:
    """A discriminator's weights by the rule of the references' README, from the names of its parameters."""
    values: dict[str, Tensor] = {}
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in build_discriminator(config, 1).named_parameters()}
    for key, shape in shapes.items():
        drawn = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
        values[key] = torch.from_numpy(drawn.astype(np.float32))
        if key.endswith("weight_g"):
            values[key] = 0.577 + 0.05 * values[key]
        elif key.endswith("bias"):
            values[key] = 0.05 * values[key]
    return values


@functools.cache
def weights(name: str) -> dict[str, Tensor]:
    """The state dict of a reference."""
    path = references.FOLDER / name / "run" / "version_0" / "checkpoints" / "best.ckpt"
    state: dict[str, Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return state


def model(name: str) -> RAVE:
    """A new model with the weights of a reference, its discriminator's too."""
    made = RAVE(config(name))
    missing, unknown = made.load_state_dict(weights(name), strict=False)
    assert not unknown
    if missing:
        assert all(key.startswith("discriminator.") for key in missing)
        given = made.discriminator.load_state_dict(_regenerated(made.config.discriminator), strict=False)
        assert all(key.endswith("window") for key in given.missing_keys)
    return made


def batch(name: str) -> Tensor:
    """The two signals of a reference, shape [2, 1, T]."""
    held = references.arrays(name)
    return torch.cat([held["x"], held["x2"]])


@functools.cache
def features(name: str) -> Features:
    """What the discriminator makes of the two signals."""
    whole = model(name)
    discriminator = build_discriminator(whole.config.discriminator, 1)
    discriminator.load_state_dict(whole.discriminator.state_dict())
    with torch.no_grad():
        return discriminator(batch(name))  # type: ignore[no-any-return]


class Step(NamedTuple):
    """One training step: what is logged, what is minimised, and the norms of its gradients."""

    logged: dict[str, float]
    total: float
    norms: dict[str, float]


@functools.cache
def step(name: str, phase: str, as_original: bool = True) -> Step:
    """The step of a phase, without randomness."""
    whole = model(name).train()
    factors, warmed_up = whole.config.training.loss_weights, phase != "phase1_gen"
    x = batch(name)
    with references.without_randomness(), torch.enable_grad():
        if phase == "phase2_dis":
            of_discriminator = discriminator_losses(whole, x, as_original)
            told = of_discriminator
            minimised = of_discriminator["loss_dis"]
        else:
            of_generator = generator_losses(whole, x, warmed_up, BETA, as_original)
            told = logged(of_generator, factors)
            minimised = total(of_generator, factors, as_original=True)
        minimised.backward()  # type: ignore[no-untyped-call]
    norms = {
        key: float(parameter.grad.double().norm())
        for key, parameter in whole.named_parameters()
        if parameter.grad is not None
    }
    return Step({key: float(value.detach()) for key, value in told.items()}, float(minimised.detach()), norms)
