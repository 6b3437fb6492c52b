"""What would go wrong later, told before the first step, with what to change."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torchbend.corpus.store import Corpus
from torchbend.errors import TrainingError
from torchbend.rave.bottlenecks import Variational
from torchbend.rave.losses.receptive_field import receptive_field
from torchbend.rave.model import RAVE
from torchbend.training.settings import TrainSettings

__all__ = ["prepare", "shortest"]


def shortest(model: RAVE) -> int:
    """The shortest excerpt that a model can be trained on, in samples, once its receptive field is known."""
    config = model.config
    bands, longest = config.pqmf.bands, max(config.training.distance.scales, default=0) // 2 + 1
    needed = longest * bands
    if config.training.valid_signal_crop:
        before, after = model.receptive_field.tolist()
        needed += (before // bands + math.ceil(after / bands)) * bands
    return math.ceil(needed / config.ratio) * config.ratio


def prepare(
    model: RAVE, corpus: Corpus, counts: Sequence[int], settings: TrainSettings, processes: int = 1
) -> None:
    """Measure the receptive field, and refuse what cannot train.

    Args:
        model: its ``receptive_field`` is set where it is not.
        corpus: to train on.
        counts: excerpts to train on, and to validate with.
        settings: of the training.
        processes: that train together.

    Raises:
        TrainingError: channels or sample rates differ, excerpts are too short, there is too little data, or a
            setting does not suit the model.
    """
    config = model.config
    if corpus.channels != config.channels:
        raise TrainingError(
            "model and corpus have different channels",
            site="channels",
            wanted=f"{config.channels}, as the configuration says",
            got=f"{corpus.channels} in {corpus.path}",
            next_step=f"--set channels={corpus.channels}, or preprocess with --channels {config.channels}",
        )
    if corpus.sample_rate != config.sampling_rate:
        raise TrainingError(
            "model and corpus have different sample rates",
            site="sampling_rate",
            wanted=f"{config.sampling_rate} Hz, as the configuration says",
            got=f"{corpus.sample_rate} Hz in {corpus.path}",
            next_step=f"--set sampling_rate={corpus.sample_rate}, or preprocess with the other rate",
        )
    if config.training.valid_signal_crop and not int(model.receptive_field.max()):
        for place, samples in enumerate(receptive_field(model)):
            model.receptive_field[place] = samples
    needed = shortest(model)
    if settings.length < needed or settings.length % config.ratio:
        raise TrainingError(
            "excerpts of this length cannot train this model",
            site="length",
            wanted=f"a multiple of {config.ratio} samples, {needed} or more",
            got=settings.length,
            next_step=f"--length {max(needed, math.ceil(settings.length / config.ratio) * config.ratio)}",
        )
    batch = settings.batch * settings.accumulate * processes
    if counts[0] < batch or not counts[1]:
        raise TrainingError(
            "there is too little sound to train on",
            site=str(corpus.path),
            wanted=f"{batch} excerpts of {settings.length} samples for a batch, and one to validate",
            got=f"{counts[0]} and {counts[1]}",
            next_step="add sounds, augment them, or take a smaller --batch or --length",
        )
    if settings.cropped_latents is not None:
        _check_latents(model, settings.cropped_latents)


def _check_latents(model: RAVE, wanted: int) -> None:
    if not isinstance(model.encoder, Variational):
        raise TrainingError(
            "only the latents of a variational model are cropped",
            site="cropped_latents",
            got=type(model.encoder).__name__,
            next_step="leave --cropped-latent-size out",
        )
    if not 1 <= wanted <= model.config.latent_size:
        raise TrainingError(
            "there are not so many latents",
            site="cropped_latents",
            wanted=f"1 to {model.config.latent_size}",
            got=wanted,
        )
