"""The losses of a discriminator and of the generator that it listens to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from torchbend.errors import RAVEConfigError

__all__ = ["Form", "discriminator_distance", "generator_distance"]

Form = Literal["hinge", "least_squares", "non_saturating"]
"""Hinge (arXiv 1705.02894), least squares (arXiv 1611.04076), non-saturating (arXiv 1406.2661)."""


def _probability(score: Tensor) -> Tensor:
    return torch.sigmoid(score).clamp(1e-7, 1 - 1e-7)


_OF_DISCRIMINATOR: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "hinge": lambda real, fake: (F.relu(1 - real) + F.relu(1 + fake)).mean(),
    "least_squares": lambda real, fake: ((real - 1).square() + fake.square()).mean(),
    "non_saturating": lambda real, fake: -(_probability(real).log() + (1 - _probability(fake)).log()).mean(),
}

_OF_GENERATOR: dict[str, Callable[[Tensor], Tensor]] = {
    "hinge": lambda fake: -fake.mean(),
    "least_squares": lambda fake: (fake - 1).square().mean(),
    "non_saturating": lambda fake: -_probability(fake).log().mean(),
}


def discriminator_distance(real: list[Tensor], fake: list[Tensor], form: Form = "hinge") -> Tensor:
    """What a discriminator minimises: the sum over its networks.

    Args:
        real: each network's scores of the targets.
        fake: each network's scores of the outputs, of the same shapes.
        form: of the loss.

    Returns:
        A scalar.

    Raises:
        RAVEConfigError: the form is unknown, or there is no network.
    """
    loss = _find(_OF_DISCRIMINATOR, form)
    return _sum([loss(r, f) for r, f in zip(real, fake, strict=True)])


def generator_distance(fake: list[Tensor], form: Form = "hinge") -> Tensor:
    """What a generator minimises: the sum over the discriminator's networks.

    Args:
        fake: each network's scores of the outputs.
        form: of the loss.

    Returns:
        A scalar.

    Raises:
        RAVEConfigError: the form is unknown, or there is no network.
    """
    loss = _find(_OF_GENERATOR, form)
    return _sum([loss(f) for f in fake])


def _find(losses: dict[str, Callable[..., Tensor]], form: str) -> Callable[..., Tensor]:
    if form not in losses:
        raise RAVEConfigError(
            "unknown adversarial loss", site="loss", wanted=", ".join(sorted(losses)), got=form
        )
    return losses[form]


def _sum(terms: list[Tensor]) -> Tensor:
    if not terms:
        raise RAVEConfigError(
            "a discriminator without networks", site="discriminator", wanted="at least 1", got=0
        )
    return sum(terms[1:], start=terms[0])
