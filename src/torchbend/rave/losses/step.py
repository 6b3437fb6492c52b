"""The losses of one training step (RAVE, arXiv 2111.05011, section 3.2).

The first phase trains everything on the spectral distance and the regularisation of the latents. In the
second phase the discriminator comes in, and steps of the discriminator and of the generator take turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from torchbend.errors import ShapeError
from torchbend.rave.config import DiscreteConfig, SphericalConfig
from torchbend.rave.discriminators import Features
from torchbend.rave.losses.adversarial import discriminator_distance, generator_distance
from torchbend.rave.losses.feature_matching import feature_matching
from torchbend.rave.losses.reconstruction import (
    audio_pair,
    autoencode,
    band_pair,
    fixed_parameters,
    full_precision,
    resynthesise,
    valid_bands,
)

if TYPE_CHECKING:
    from torchbend.rave.model import RAVE

__all__ = [
    "discriminator_losses",
    "generator_losses",
    "is_discriminator_step",
    "logged",
    "total",
]


def is_discriminator_step(warmed_up: bool, batch: int, update_every: int) -> bool:
    """Whether a step belongs to the discriminator; the others are the generator's.

    Args:
        warmed_up: whether the second phase has begun.
        batch: number of the batch in its epoch, from 0.
        update_every: a discriminator's step in so many.
    """
    return warmed_up and batch % update_every == 0


def _listen(model: RAVE, target: Tensor, output: Tensor, as_original: bool) -> tuple[Features, Features]:
    """The discriminator's features of target and output, for a step of the generator.

    Only the output's features need gradients, and the discriminator's parameters need none.
    """
    if as_original:
        return _both(model, target, output)
    with fixed_parameters(model.discriminator):
        with torch.no_grad():
            real = model.discriminator(target)
        return real, model.discriminator(output)


def _both(model: RAVE, target: Tensor, output: Tensor) -> tuple[Features, Features]:
    features = model.discriminator(torch.cat([target, output]))
    halves = [[feature.chunk(2) for feature in network] for network in features]
    return (
        [[half[0] for half in network] for network in halves],
        [[half[1] for half in network] for network in halves],
    )


def generator_losses(
    model: RAVE, x: Tensor, warmed_up: bool, beta: float, as_original: bool = False
) -> dict[str, Tensor]:
    """What encoder and decoder minimise, before `total` applies the factors.

    Args:
        model: in training mode; its phase is set.
        x: audio in [-1, 1], shape ``[B, C, T]``.
        warmed_up: whether the second phase has begun: the discriminator's losses come in.
        beta: factor of the regularisation at this step.
        as_original: gradients reach whatever they reach in the original: discriminator and filter bank too.

    Returns:
        Scalars: ``multiband_spectral_distance``, ``fullband_spectral_distance``; ``regularization`` where the
        latents are regularised, times ``beta``; in the second phase ``feature_matching`` and ``adversarial``.

    Raises:
        ShapeError: the audio has another number of channels, or is too short.
    """
    with nullcontext() if as_original else fixed_parameters(model.pqmf):
        made = autoencode(model, x, warmed_up, as_original)
        target, output = audio_pair(model, x, made)
        target_bands, output_bands = band_pair(model, x, made)
    valid = valid_bands(model, output_bands.shape[-1], as_original)
    with full_precision(x):
        losses = {
            "multiband_spectral_distance": model.multiband_audio_distance(
                target_bands[..., valid], output_bands[..., valid]
            ),
            "fullband_spectral_distance": model.audio_distance(target, output),
        }
    if _regularises(model):
        losses["regularization"] = made.regularization * beta
    if warmed_up:
        settings = model.config.training.adversarial
        real, fake = _listen(model, target, output, as_original)
        losses["feature_matching"] = feature_matching(
            real, fake, relative=settings.relative_features, skipped=settings.skipped_features
        )
        losses["adversarial"] = generator_distance([network[-1] for network in fake], settings.loss)
    return losses


def _regularises(model: RAVE) -> bool:
    latent = model.config.latent
    if isinstance(latent, DiscreteConfig):
        return bool(model.encoder.enabled)
    return not isinstance(latent, SphericalConfig)


def discriminator_losses(model: RAVE, x: Tensor, as_original: bool = False) -> dict[str, Tensor]:
    """What the discriminator minimises in the second phase, and its scores.

    Args:
        model: in training mode; its phase is set to the second.
        x: audio in [-1, 1], shape ``[B, C, T]``.
        as_original: gradients reach the generator too, where nothing uses them.

    Returns:
        Scalars: ``loss_dis``, to be minimised; ``pred_real`` and ``pred_fake``, the mean scores of target and
        output, summed over the networks, without gradients.

    Raises:
        ShapeError: the audio has another number of channels, or is too short.
    """
    if as_original:
        target, output = audio_pair(model, x, autoencode(model, x, True, as_original))
    else:
        target, output = resynthesise(model, x)
    real, fake = _both(model, target, output)
    real_scores, fake_scores = [network[-1] for network in real], [network[-1] for network in fake]
    return {
        "loss_dis": discriminator_distance(real_scores, fake_scores, model.config.training.adversarial.loss),
        "pred_real": torch.stack([scores.detach().mean() for scores in real_scores]).sum(),
        "pred_fake": torch.stack([scores.detach().mean() for scores in fake_scores]).sum(),
    }


# The factor that belongs to each loss by itself.
_FACTORS = {
    "multiband_spectral_distance": "multiband_audio_distance",
    "fullband_spectral_distance": "audio_distance",
    "feature_matching": "feature_matching",
    "adversarial": "adversarial",
}
# The losses whose factor the original applies once more when it adds them up.
_TWICE = ("feature_matching", "adversarial")


def logged(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> dict[str, Tensor]:
    """The losses as the original logs them: each times the factor of its kind.

    A factor under the name of a distance itself (``fullband_spectral_distance``) acts in `total` only.

    Args:
        losses: of `generator_losses`.
        weights: the factors by the names that configurations use, `TrainingConfig.loss_weights`.
    """
    return {name: loss * weights.get(_FACTORS.get(name, ""), 1.0) for name, loss in losses.items()}


def total(losses: Mapping[str, Tensor], weights: Mapping[str, float], as_original: bool = False) -> Tensor:
    """The sum that a generator's step minimises.

    Args:
        losses: of `generator_losses`, at least one.
        weights: the factors by the names that configurations use, `TrainingConfig.loss_weights`.
        as_original: the factors of feature matching and of the adversarial loss are squared, as they are when
            the original trains: a feature-matching factor of 20 acts as 400.

    Returns:
        A scalar.

    Raises:
        ShapeError: there are no losses.
    """
    if not losses:
        raise ShapeError("no losses to add up", site="total", wanted="at least one loss", got="none")
    parts = [
        part if name in _TWICE and not as_original else part * weights.get(name, 1.0)
        for name, part in logged(losses, weights).items()
    ]
    return torch.stack(parts).sum()
