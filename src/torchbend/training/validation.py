"""How a model does on sounds that it does not train on, and what its latents are worth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from torchbend.rave.bottlenecks import Variational
from torchbend.rave.losses.reconstruction import set_phase
from torchbend.rave.model import RAVE
from torchbend.rave.pca import Components, dims_for_fidelity, fit

__all__ = ["Validation", "latent_components", "validate"]

SHARES = (0.8, 0.9, 0.95, 0.99)
HEARD = 8
"""Excerpts that are kept as audio."""


@dataclass(frozen=True)
class Validation:
    """What a validation found.

    Attributes:
        distance: the spectral distance of the whole band, a mean over excerpts.
        components: of the latents; None for models without a PCA.
        heard: first excerpts and what became of them, one after the other, shape ``[C, T]``.
    """

    distance: float
    components: Components | None
    heard: Tensor

    def fidelities(self) -> dict[str, int]:
        """How many components hold each share of the variance, as ``{"fidelity_0.95": 12}``."""
        if self.components is None:
            return {}
        curve = self.components.fidelity
        return {f"fidelity_{share}": dims_for_fidelity(curve, share) for share in SHARES}


@torch.no_grad()
def validate(model: RAVE, batches: Iterable[Tensor], warmed_up: bool) -> Validation:
    """Pass held-out excerpts through a model.

    Args:
        model: its mode is put back at the end.
        batches: audio, each ``[B, C, T]``, at least one.
        warmed_up: whether the second phase has begun.
    """
    training, found, count = model.training, 0.0, 0
    latents: list[Tensor] = []
    heard: list[Tensor] = []
    device = model.latent_pca.device
    model.eval()
    set_phase(model, warmed_up)
    try:
        for batch in batches:
            x = batch.to(device)
            raw = model.encode(x)
            y = model.decode(model.encoder.latents(raw))[..., : x.shape[-1]]
            found += float(model.audio_distance(x[..., : y.shape[-1]], y)) * len(x)
            count += len(x)
            if isinstance(model.encoder, Variational):
                latents.append(raw.chunk(2, 1)[0].cpu())
            for one, other in zip(x.cpu(), y.cpu(), strict=True):
                if len(heard) < 2 * HEARD:
                    heard += [one, other]
    finally:
        model.train(training)
    components = fit(latents) if latents else None
    return Validation(found / max(count, 1), components, torch.cat(heard, -1))


@torch.no_grad()
def latent_components(model: RAVE, batches: Iterable[Tensor]) -> Components | None:
    """The principal components of held-out excerpts' latents, by the weights as they are.

    Args:
        model: its mode is put back at the end.
        batches: audio, each ``[B, C, T]``, at least one.

    Returns:
        None for models without a PCA.
    """
    if not isinstance(model.encoder, Variational):
        return None
    training = model.training
    model.eval()
    try:
        return fit([model.encode(x.to(model.latent_pca.device)).chunk(2, 1)[0].cpu() for x in batches])
    finally:
        model.train(training)
