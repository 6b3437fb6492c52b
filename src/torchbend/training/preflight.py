"""What would go wrong later, told before the first step, with what to change."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torchbend.corpus.store import Corpus
from torchbend.errors import TrainingError
from torchbend.rave.bottlenecks import Variational
from torchbend.rave.config import RAVEConfig
from torchbend.rave.losses.receptive_field import receptive_field
from torchbend.rave.model import RAVE
from torchbend.rave.preset_overrides import override
from torchbend.rave.prior import Prior, PriorConfig
from torchbend.training.settings import PriorSettings, RunSettings, TrainSettings

__all__ = ["prepare", "prepare_prior", "shortest", "shortest_for_prior"]


def shortest(model: RAVE) -> int:
    """The shortest excerpt that a model can be trained on, in samples, once its receptive field is known."""
    config = model.config
    bands, longest = config.pqmf.bands, max(config.training.distance.scales, default=0) // 2 + 1
    needed = longest * bands
    if config.training.valid_signal_crop:
        before, after = model.receptive_field.tolist()
        needed += (before // bands + math.ceil(after / bands)) * bands
    return math.ceil(needed / config.ratio) * config.ratio


def shortest_for_prior(config: PriorConfig, ratio: int) -> int:
    """The shortest excerpt that a prior can be trained on, in samples.

    Args:
        config: of the prior.
        ratio: of the model, in samples for each frame.
    """
    return math.ceil(config.training_samples(ratio) / ratio) * ratio


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
    _check_sound(config, corpus, trained=True)
    if config.training.valid_signal_crop and not int(model.receptive_field.max()):
        # Sizes, not weights, decide how far a model listens: a narrow one is measured tenfold faster.
        narrow = RAVE(override(config, {"capacity": 2}))
        for place, samples in enumerate(receptive_field(narrow)):
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
    _check_amount(corpus, counts, settings, processes)
    if settings.cropped_latents is not None:
        _check_latents(model, settings.cropped_latents)


def prepare_prior(
    prior: Prior, corpus: Corpus, counts: Sequence[int], settings: PriorSettings, processes: int = 1
) -> None:
    """Refuse what cannot train a prior.

    Args:
        prior: with the model that it is for.
        corpus: to train on.
        counts: excerpts to train on, and to validate with.
        settings: of the training.
        processes: that train together.

    Raises:
        TrainingError: channels or sample rates differ, excerpts do not show a prediction all that it depends
            on, or there is too little data.
    """
    _check_sound(prior.synth.config, corpus, trained=False)
    needed, ratio = shortest_for_prior(prior.config, prior.ratio), prior.ratio
    if settings.length < needed or settings.length % ratio:
        raise TrainingError(
            "excerpts of this length cannot train this prior",
            site="length",
            wanted=f"a multiple of {ratio} samples, {needed} or more: "
            f"a prediction depends on {prior.config.receptive_field} frames, and a frame is spread over "
            f"{prior.config.latents}",
            got=settings.length,
            next_step=f"--length {max(needed, math.ceil(settings.length / ratio) * ratio)}, or a prior that "
            "looks less far back: --set layers=..., --set cycle_size=...",
        )
    _check_amount(corpus, counts, settings, processes)


def _check_sound(config: RAVEConfig, corpus: Corpus, trained: bool) -> None:
    """Channels and sample rate; those of a model that is trained already cannot be set."""
    for site, what, wanted, got, option in (
        ("channels", "channels", config.channels, corpus.channels, "--channels"),
        ("sampling_rate", "sample rates", config.sampling_rate, corpus.sample_rate, "--sr"),
    ):
        if wanted != got:
            change = f"--set {site}={got}, or " if trained else ""
            raise TrainingError(
                f"model and corpus have different {what}",
                site=site,
                wanted=f"{wanted}, as the {'configuration says' if trained else 'model has'}",
                got=f"{got} in {corpus.path}",
                next_step=f"{change}preprocess with {option} {wanted}",
            )


def _check_amount(corpus: Corpus, counts: Sequence[int], settings: RunSettings, processes: int) -> None:
    batch = settings.batch * settings.accumulate * processes
    if counts[0] < batch or not counts[1]:
        raise TrainingError(
            "there is too little sound to train on",
            site=str(corpus.path),
            wanted=f"{batch} excerpts of {settings.length} samples for a batch, and one to validate",
            got=f"{counts[0]} and {counts[1]}",
            next_step="add sounds, augment them, or take a smaller --batch or --length",
        )


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
