"""Discriminators, losses and schedules from the bindings of a configuration file."""

from __future__ import annotations

from typing import Any

from torchbend.rave.checkpoints.gin_lookup import Lookup
from torchbend.rave.checkpoints.gin_tokens import Reference
from torchbend.rave.config import (
    AdversarialConfig,
    BetaConfig,
    CombinedConfig,
    DescriptConfig,
    DiscriminatorConfig,
    DistanceConfig,
    MultiPeriodConfig,
    MultiScaleConfig,
    SpectralConfig,
    TrainingConfig,
)

__all__ = ["read_discriminator", "read_training"]

Single = MultiPeriodConfig | MultiScaleConfig | SpectralConfig


def read_discriminator(lookup: Lookup, default: Any, notes: list[str]) -> DiscriminatorConfig:
    """The discriminator; ``notes`` gets what is not known, as it takes no part in the sound."""
    given = lookup.reference("RAVE", "discriminator")
    kept: DiscriminatorConfig = default
    if given is None:
        return kept
    if given.name == "CombineDiscriminators":
        listed = lookup.get(given.name, "discriminators", [], given.scope)
        if not isinstance(listed, list | tuple) or not all(isinstance(each, Reference) for each in listed):
            raise lookup.wrong(given.name, "discriminators", "a list of @references", listed)
        parts = [_single(lookup, each) for each in listed]
        if parts and None not in parts:
            return CombinedConfig(tuple(part for part in parts if part is not None))
    elif given.name == "DescriptDiscriminator":
        return _descript(lookup, given)
    else:
        part = _single(lookup, given)
        if part is not None:
            return part
    notes.append(f"the discriminator @{given.path} is not known: another one stands in its place")
    return kept


def read_training(lookup: Lookup, default: TrainingConfig) -> TrainingConfig:
    """Losses and schedules."""
    warmup = lookup.get("RAVE", "warmup_quantize", default.warmup_quantize)
    return TrainingConfig(
        phase_1_duration=lookup.whole("RAVE", "phase_1_duration", default.phase_1_duration),
        beta=_beta(lookup, default.beta),
        distance=_distance(lookup, default.distance),
        adversarial=_adversarial(lookup, default.adversarial),
        weights=_weights(lookup, default.weights),
        valid_signal_crop=lookup.truth("RAVE", "valid_signal_crop", default.valid_signal_crop),
        warmup_quantize=warmup,
    )


def _single(lookup: Lookup, given: Reference) -> Single | None:
    name, scope = given.name, given.scope
    net = lookup.reference(name, "convnet", scope)
    net_name, net_scope = (net.name, net.scope) if net is not None else ("ConvNet", scope)
    if name == "MultiScaleSpectralDiscriminator":
        base = SpectralConfig()
        return SpectralConfig(
            lookup.whole(net_name, "capacity", base.capacity, net_scope),
            lookup.wholes(name, "scales", base.scales, scope),
        )
    shape: dict[str, Any] = {}
    if name in ("MultiScaleDiscriminator", "MultiPeriodDiscriminator"):
        kernel = 15 if name == "MultiScaleDiscriminator" else 5
        size = lookup.get(net_name, "kernel_size", kernel, net_scope)
        # Two-dimensional kernels are one wide across the periods.
        size = size[0] if isinstance(size, list | tuple) and size else size
        if type(size) is not int:
            raise lookup.wrong(net_name, "kernel_size", "a whole number, or a pair", size)
        shape = {
            "capacity": lookup.whole(net_name, "capacity", 64, net_scope),
            "kernel_size": size,
            "stride": lookup.whole(net_name, "stride", 4, net_scope),
            "layers": lookup.whole(net_name, "n_layers", 4, net_scope),
        }
    if name == "MultiScaleDiscriminator":
        return MultiScaleConfig(scales=lookup.whole(name, "n_discriminators", 3, scope), **shape)
    if name == "MultiPeriodDiscriminator":
        periods = lookup.wholes(name, "periods", (2, 3, 5, 7, 11), scope)
        return MultiPeriodConfig(periods=periods, **shape)
    return None


def _descript(lookup: Lookup, given: Reference) -> DescriptConfig:
    name, base = given.name, DescriptConfig()
    bands = lookup.get(name, "bands", base.bands, given.scope)
    pairs = isinstance(bands, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(x, int | float) for x in pair)
        for pair in bands
    )
    if not pairs:
        raise lookup.wrong(name, "bands", "pairs of numbers", bands)
    return DescriptConfig(
        periods=lookup.wholes(name, "periods", base.periods, given.scope),
        windows=lookup.wholes(name, "fft_sizes", base.windows, given.scope),
        bands=tuple((float(low), float(high)) for low, high in bands),
        rates=lookup.wholes(name, "rates", base.rates, given.scope),
    )


def _beta(lookup: Lookup, default: BetaConfig) -> BetaConfig:
    name = "BetaWarmupCallback"
    return BetaConfig(
        lookup.number(name, "initial_value", default.initial),
        lookup.number(name, "target_value", default.target),
        lookup.whole(name, "warmup_len", default.warmup),
        lookup.truth(name, "log", default.logarithmic),
    )


def _distance(lookup: Lookup, default: DistanceConfig) -> DistanceConfig:
    given = lookup.reference("RAVE", "audio_distance") or Reference("AudioDistanceV1")
    stft = lookup.reference(given.name, "multiscale_stft", given.scope) or Reference("MultiScaleSTFT")
    return DistanceConfig(
        lookup.wholes(stft.name, "scales", default.scales, stft.scope),
        lookup.number(given.name, "log_epsilon", default.log_epsilon, given.scope),
    )


def _adversarial(lookup: Lookup, default: AdversarialConfig) -> AdversarialConfig:
    losses: dict[str, Any] = {
        "hinge_gan": "hinge",
        "ls_gan": "least_squares",
        "nonsaturating_gan": "non_saturating",
    }
    given = lookup.reference("RAVE", "gan_loss")
    loss: Any = default.loss
    if given is not None:
        if given.name not in losses:
            raise lookup.wrong("RAVE", "gan_loss", f"one of: {', '.join(losses)}", given)
        loss = losses[given.name]
    difference = lookup.reference("RAVE", "feature_matching_fun")
    relative = default.relative_features
    if difference is not None:
        relative = lookup.truth(difference.name, "relative", relative, difference.scope)
    return AdversarialConfig(
        loss=loss,
        relative_features=relative,
        skipped_features=lookup.whole("RAVE", "num_skipped_features", default.skipped_features),
        update_every=lookup.whole("RAVE", "update_discriminator_every", default.update_every),
    )


def _weights(lookup: Lookup, default: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    given = lookup.get("RAVE", "weights")
    old = lookup.get("RAVE", "loss_weights")
    value = old if given is None else given
    if value is None:
        return default
    usable = isinstance(value, dict) and all(
        isinstance(key, str) and isinstance(factor, int | float) and not isinstance(factor, bool)
        for key, factor in value.items()
    )
    if not usable:
        raise lookup.wrong("RAVE", "weights", "a dict of numbers", value)
    return tuple(sorted((key, float(factor)) for key, factor in value.items()))
