"""The reference training steps: the same models, losses and gradients, made by this package."""

from __future__ import annotations

import functools
import zlib
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

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


def regenerate(discriminator: nn.Module) -> None:
    """Weights by the rule of the references' README, from the names of the parameters."""
    with torch.no_grad():
        for name, parameter in discriminator.named_parameters():
            drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(parameter.shape))
            values = torch.from_numpy(drawn.astype(np.float32))
            if name.endswith("weight_g"):
                values = 0.577 + 0.05 * values
            elif name.endswith("bias"):
                values = 0.05 * values
            parameter.copy_(values)


@functools.cache
def weights(name: str) -> dict[str, Tensor]:
    """The state dict of a reference."""
    path = references.FOLDER / name / "run" / "version_0" / "checkpoints" / "best.ckpt"
    state: dict[str, Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return state


def model(name: str) -> RAVE:
    """A new model with the weights of a reference, its discriminator's too."""
    told = references.manifest(name)
    files = [file.removesuffix(".gin") for file in told["config_files"]]
    pairs = (binding.split("=") for binding in told["bindings"])
    made = RAVE(preset(*files, **{key.strip().lower(): int(value) for key, value in pairs}))
    missing, unknown = made.load_state_dict(weights(name), strict=False)
    assert not unknown
    if missing:
        assert all(key.startswith("discriminator.") for key in missing)
        regenerate(made.discriminator)
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
