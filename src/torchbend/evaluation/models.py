"""A RAVE model on sounds that it did not learn: scores, latents, speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from torchbend.errors import ShapeError
from torchbend.evaluation.baseline import vocoder_noise
from torchbend.evaluation.latents import LatentStatistics, latent_statistics
from torchbend.evaluation.scores import Reference, Scores
from torchbend.evaluation.speed import Speed, real_time_factors
from torchbend.rave import RAVE
from torchbend.rave.bottlenecks import Variational

__all__ = ["Evaluation", "Passed", "evaluate", "evaluate_baseline", "pass_through"]

Told = Callable[[], object]


class Passed(NamedTuple):
    """What a model makes of a sound.

    Attributes:
        made: the reconstruction, ``[C, T]`` as the sound.
        latents: those that the model is sure of, ``[L, frames]``.
        scales: standard deviations of them, ``[L, frames]``; None where the model has none.
    """

    made: Tensor
    latents: Tensor
    scales: Tensor | None


@dataclass(frozen=True)
class Evaluation:
    """All that is known of a model after it has passed the sounds of a reference.

    Attributes:
        name: of the model.
        scores: distances and errors.
        made: the reconstructions.
        latents: their statistics; None for the baseline.
        speed: real-time factors; None where it was not asked for.
    """

    name: str
    scores: Scores
    made: Sequence[Tensor]
    latents: LatentStatistics | None = None
    speed: Speed | None = None


@torch.no_grad()
def pass_through(model: RAVE, sound: Tensor) -> Passed:
    """Encode and decode one sound as a whole, with the means of the latents.

    Args:
        model: offline, in evaluation mode.
        sound: in [-1, 1], at the model's sample rate, ``[model.channels, T]``.

    Raises:
        ShapeError: the sound has another number of channels.
    """
    length = sound.shape[-1]
    x = F.pad(sound, (0, -length % model.ratio))[None].to(model.latent_mean)
    encoder = model.encoder
    with encoder.sampling(False):
        raw = model.encode(x)
        z = encoder.latents(raw)
        made = model.decode(z)[0, :, :length]
    scales = encoder.distribution(raw)[1][0].cpu() if isinstance(encoder, Variational) else None
    return Passed(made.cpu(), z[0].cpu(), scales)


def evaluate(
    model: RAVE,
    reference: Reference,
    name: str = "model",
    *,
    speed: bool = True,
    seed: int = 0,
    told: Told = lambda: None,
) -> Evaluation:
    """A model's reconstructions of the sounds of a reference, and what they are worth.

    Args:
        model: at the reference's sample rate, with its number of channels.
        reference: sounds that the model did not learn.
        name: of the model.
        speed: measure real-time factors too.
        seed: of the noise that some decoders add.
        told: is called after each sound.

    Raises:
        ShapeError: the model has another sample rate or number of channels.
        NonFiniteError: the model gives NaN or infinity.
    """
    if model.sample_rate != reference.sample_rate:
        raise ShapeError(
            "the model has another sample rate than the sounds",
            site=name,
            wanted=f"{reference.sample_rate} Hz",
            got=f"{model.sample_rate} Hz",
            next_step="resample the sounds to the model's rate",
        )
    before, training = model.stream_state, model.training
    model.offline()
    model.eval()
    passed = []
    try:
        for sound in reference.sounds:
            torch.manual_seed(seed)
            passed.append(pass_through(model, sound))
            told()
    finally:
        model.train(training)
        if before is not None:
            model.resume(before)
    scales = [each.scales for each in passed if each.scales is not None]
    return Evaluation(
        name,
        reference.score([each.made for each in passed]),
        [each.made for each in passed],
        latent_statistics(
            torch.cat([each.latents for each in passed], 1), torch.cat(scales, 1) if scales else None
        ),
        real_time_factors(model) if speed else None,
    )


def evaluate_baseline(reference: Reference, bands: int = 16, seed: int = 0) -> Evaluation:
    """What noise is worth that has the levels of the sounds in some bands (`vocoder_noise`)."""
    made = [vocoder_noise(sound, reference.sample_rate, bands, seed) for sound in reference.sounds]
    return Evaluation(f"noise in {bands} bands", reference.score(made), made)
