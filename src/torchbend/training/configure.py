"""The configuration of a training: a preset, what is changed in it, and what follows from the corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torchbend.corpus.store import Corpus
from torchbend.errors import TrainingError
from torchbend.rave.config import BetaConfig, RAVEConfig
from torchbend.rave.presets import preset

__all__ = ["configured"]


def configured(
    names: Sequence[str],
    corpus: Corpus,
    changes: Mapping[str, object] | None = None,
    *,
    warmup: int | None = None,
    kl: float | None = None,
    kl_warmup: int | None = None,
) -> RAVEConfig:
    """A configuration for a corpus.

    Args:
        names: of presets, as `torchbend.rave.preset` takes them; the endings of old configuration files, as
            in ``v2.gin``, may stay.
        corpus: gives sample rate and channels, where ``changes`` does not.
        changes: single values, as `torchbend.rave.preset` takes them; with ``training.`` before its name, a
            value of `torchbend.rave.config.TrainingConfig`.
        warmup: steps of the first phase.
        kl: factor of the regularisation: fixed, unless ``kl_warmup`` is given.
        kl_warmup: steps in which the factor rises to its end: from where it begins in the configuration, or
            from the least of all where that is no lower.

    Raises:
        RAVEConfigError: a name or a value is unknown, or the parts cannot work together.
        TrainingError: a value of the training is unknown or has the wrong type.
    """
    given = {"sampling_rate": corpus.sample_rate, "channels": corpus.channels, **(changes or {})}
    own = {name.removeprefix("training."): v for name, v in given.items() if name.startswith("training.")}
    plain = {name: value for name, value in given.items() if not name.startswith("training.")}
    config = preset(*(name.removesuffix(".gin") for name in names), **plain)
    training = config.training
    if warmup is not None:
        training = replace(training, phase_1_duration=warmup)
    if kl is not None or kl_warmup is not None:
        training = replace(training, beta=_schedule(training.beta, kl, kl_warmup))
    for name, value in own.items():
        kind = type(getattr(training, name, None))
        if kind not in (int, float, bool) or not isinstance(value, (int, float)):
            raise TrainingError(
                "this value of a training cannot be set",
                site=f"training.{name}",
                wanted="phase_1_duration, valid_signal_crop or warmup_quantize, and a number",
                got=repr(value),
            )
        training = replace(training, **{name: kind(value)})
    return replace(config, training=training)


def _schedule(schedule: BetaConfig, kl: float | None, warmup: int | None) -> BetaConfig:
    if kl is not None and kl < 0:
        raise TrainingError("no regularisation is like this", site="kl", wanted="0 or more", got=kl)
    if warmup is None:
        return BetaConfig(kl or 0.0, kl or 0.0, warmup=1, logarithmic=False)
    target = schedule.target if kl is None else kl
    initial = schedule.initial if schedule.initial < target else BetaConfig.initial
    if not initial <= target:
        raise TrainingError(
            "the regularisation cannot rise to this",
            site="kl",
            wanted=f"{BetaConfig.initial:g} or more with --kl-warmup",
            got=target,
            next_step="leave --kl-warmup out: the factor is then fixed",
        )
    return replace(schedule, initial=initial, target=target, warmup=max(warmup, 1))
