"""What cannot work in the parts of a RAVE configuration that only training uses."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torchbend.errors import RAVEConfigError
from torchbend.rave.config import (
    CombinedConfig,
    DescriptConfig,
    DiscriminatorConfig,
    MultiPeriodConfig,
    MultiScaleConfig,
    SpectralConfig,
    TrainingConfig,
)

__all__ = ["discriminator_errors", "training_errors"]

Errors = Iterator[RAVEConfigError]
LOSSES = ("hinge", "least_squares", "non_saturating")


def discriminator_errors(config: DiscriminatorConfig, site: str = "discriminator") -> Errors:
    """The reasons why a discriminator cannot be built, none if it can."""
    if isinstance(config, CombinedConfig):
        if not config.parts:
            yield RAVEConfigError(
                "a combination of nothing", site=f"{site}.parts", wanted="at least one part"
            )
        for index, part in enumerate(config.parts):
            yield from discriminator_errors(part, f"{site}.parts[{index}]")
    elif isinstance(config, DescriptConfig):
        yield from _numbers(f"{site}.periods", config.periods, 1)
        yield from _numbers(f"{site}.windows", config.windows, 4)
        yield from _numbers(f"{site}.rates", config.rates, 1)
        for low, high in config.bands:
            if not 0 <= low < high <= 1:
                yield RAVEConfigError(
                    "a frequency band that is empty or outside of the spectrum",
                    site=f"{site}.bands",
                    wanted="0 <= low < high <= 1",
                    got=(low, high),
                )
    elif isinstance(config, SpectralConfig):
        yield from _numbers(f"{site}.scales", config.scales, 4)
        yield from _numbers(f"{site}.capacity", (config.capacity,), 1)
    elif isinstance(config, MultiPeriodConfig | MultiScaleConfig):
        values = (config.capacity, config.kernel_size, config.stride, config.layers)
        yield from _numbers(f"{site}.capacity, kernel_size, stride, layers", values, 1)
        if isinstance(config, MultiPeriodConfig):
            yield from _numbers(f"{site}.periods", config.periods, 1)
        else:
            yield from _numbers(f"{site}.scales", (config.scales,), 1)


def training_errors(config: TrainingConfig) -> Errors:
    """The reasons why these losses and schedules cannot be used, none if they can."""
    yield from _numbers("training.phase_1_duration", (config.phase_1_duration,), 0)
    yield from _numbers("training.distance.scales", config.distance.scales, 4)
    yield from _numbers("training.beta.warmup", (config.beta.warmup,), 0)
    yield from _numbers("training.adversarial.update_every", (config.adversarial.update_every,), 1)
    yield from _numbers("training.adversarial.skipped_features", (config.adversarial.skipped_features,), 0)
    if config.warmup_quantize is not None:
        yield from _numbers("training.warmup_quantize", (config.warmup_quantize,), -1)
    if config.adversarial.loss not in LOSSES:
        yield RAVEConfigError(
            "this is not one of the adversarial losses",
            site="training.adversarial.loss",
            wanted=f"one of: {', '.join(LOSSES)}",
            got=config.adversarial.loss,
        )
    if not config.distance.log_epsilon > 0:
        yield RAVEConfigError(
            "silence has no logarithm",
            site="training.distance.log_epsilon",
            wanted="a number above 0",
            got=config.distance.log_epsilon,
        )
    beta = config.beta
    if beta.logarithmic and not (beta.initial > 0 and beta.target > 0):
        yield RAVEConfigError(
            "the schedule interpolates logarithms",
            site="training.beta",
            wanted="initial and target above 0, or logarithmic=False",
            got=f"{beta.initial} to {beta.target}",
        )
    for name, factor in config.weights:
        if not math.isfinite(factor):
            yield RAVEConfigError("this factor is no number", site=f"training.weights, {name}", got=factor)


def _numbers(site: str, values: tuple[int, ...], least: int) -> Errors:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            yield RAVEConfigError(
                "this value is too small, or no whole number",
                site=site,
                wanted=f"whole numbers, at least {least}",
                got=repr(value),
            )
