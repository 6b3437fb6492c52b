"""A prior among the exported methods of the model that it is for: temperatures in, latents out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from torchbend.errors import ExportError
from torchbend.rave import RAVE, Prior, load_prior
from torchbend.rave.config import VariationalConfig

__all__ = ["opened_prior", "prior_layers", "streaming_prior"]


def opened_prior(given: Prior | str | os.PathLike[str], model: RAVE) -> Prior:
    """A prior that makes latents for a model.

    Args:
        given: the prior, or a file or run of one (see `load_prior`).
        model: the model that decodes its latents.

    Raises:
        CheckpointError: the file holds no prior.
        ExportError: the model has no such latents, or is on another device.
    """
    prior = given if isinstance(given, Prior) else load_prior(given).to(model.latent_mean.device)
    if not isinstance(model.config.latent, VariationalConfig):
        raise ExportError(
            "a prior makes the latents of a variational model",
            site="prior",
            wanted="VariationalConfig",
            got=type(model.config.latent).__name__,
        )
    if (prior.synth.latent_size, prior.ratio) != (model.latent_size, model.ratio):
        raise ExportError(
            "this prior was trained on the latents of another model",
            site="prior",
            wanted=f"{model.latent_size} latents, each {model.ratio} samples",
            got=f"{prior.synth.latent_size} latents, each {prior.ratio} samples",
        )
    if prior.like.device != model.latent_mean.device:
        raise ExportError(
            "prior and model are on two devices",
            site="prior",
            wanted=model.latent_mean.device,
            got=prior.like.device,
        )
    return prior


def prior_layers(prior: Prior) -> nn.ModuleDict:
    """What a prior computes with, without the model that it is for."""
    return nn.ModuleDict({name: part for name, part in prior.named_children() if name != "synth"})


@contextmanager
def streaming_prior(prior: Prior, rows: int) -> Iterator[None]:
    """The prior at the start of a stream, as the original's exports play it; afterwards it is what it was.

    Args:
        prior: the prior.
        rows: trajectories side by side, at most.
    """
    before = prior.__dict__["stream_state"]
    training = prior.training
    with torch.no_grad():
        prior.eval().stream(rows, as_original=True)
        try:
            yield
        finally:
            prior.offline()
            prior.train(training)
            if before is not None:
                prior.resume(before)
