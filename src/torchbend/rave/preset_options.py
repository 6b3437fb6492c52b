"""Options: what changes one aspect of a complete RAVE configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from torchbend.errors import RAVEConfigError
from torchbend.rave.config import (
    BetaConfig,
    CombinedConfig,
    DescriptConfig,
    EncoderV2Config,
    GeneratorV2Config,
    MelConfig,
    MultiPeriodConfig,
    MultiScaleConfig,
    NoiseV2Config,
    RAVEConfig,
    SpectralConfig,
    SphericalConfig,
    WassersteinConfig,
)

__all__ = ["CHANGES", "OPTIONS"]

OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "causal": "convolutions that only look back: far less latency",
        "noise": "filtered noise in the second generator",
        "wasserstein": "16 latents, pulled towards a normal distribution by a discrepancy",
        "spherical": "16 latents on the unit sphere",
        "hybrid": "a log-mel spectrogram in, recurrent layers before the second generator",
        "adain": "adaptive instance normalisation in the second encoder and generator",
        "snake": "periodic activations between the stages of the second encoder and generator",
        "descript_discriminator": "the discriminators of the Descript audio codec",
        "spectral_discriminator": "discriminators on scales and on complex spectrograms",
    }
)
"""The options, each with a line on what it changes."""


def _causal(config: RAVEConfig) -> RAVEConfig:
    return replace(config, padding="causal")


def _noise(config: RAVEConfig) -> RAVEConfig:
    decoder = _second(config.decoder, GeneratorV2Config, "noise")
    return replace(config, decoder=replace(decoder, noise=NoiseV2Config(activation=decoder.activation)))


def _wasserstein(config: RAVEConfig) -> RAVEConfig:
    weights = (
        ("adversarial", 2.0),
        ("fullband_spectral_distance", 2.0),
        ("multiband_spectral_distance", 2.0),
    )
    return replace(
        config,
        latent_size=16,
        latent=WassersteinConfig(),
        training=replace(
            config.training, phase_1_duration=200_000, weights=weights, beta=BetaConfig(100.0, 100.0, 1)
        ),
    )


def _spherical(config: RAVEConfig) -> RAVEConfig:
    return replace(
        config,
        latent_size=16,
        latent=SphericalConfig(),
        training=replace(config.training, phase_1_duration=200_000),
    )


def _hybrid(config: RAVEConfig) -> RAVEConfig:
    encoder = _second(config.encoder, EncoderV2Config, "hybrid")
    decoder = _second(config.decoder, GeneratorV2Config, "hybrid")
    ratios = (4, 4, 4, 2) if config.output == "pqmf" else decoder.ratios
    return replace(
        config,
        input="mel",
        mel=MelConfig(),
        encoder=replace(encoder, ratios=(2, 2, 2), dilations=((1,), (1,), (1,))),
        decoder=replace(decoder, ratios=ratios, recurrent_layers=2),
    )


def _adain(config: RAVEConfig) -> RAVEConfig:
    encoder = _second(config.encoder, EncoderV2Config, "adain")
    decoder = _second(config.decoder, GeneratorV2Config, "adain")
    return replace(config, encoder=replace(encoder, adain=True), decoder=replace(decoder, adain=True))


def _snake(config: RAVEConfig) -> RAVEConfig:
    encoder, decoder = config.encoder, config.decoder
    # The classes of the first model have no activation to choose: the option leaves them as they are.
    if isinstance(encoder, EncoderV2Config):
        encoder = replace(encoder, activation="snake")
    if isinstance(decoder, GeneratorV2Config):
        noise = replace(decoder.noise, activation="snake") if decoder.noise is not None else None
        decoder = replace(decoder, activation="snake", noise=noise)
    return replace(config, encoder=encoder, decoder=decoder)


def _descript(config: RAVEConfig) -> RAVEConfig:
    return replace(config, discriminator=DescriptConfig())


def _spectral(config: RAVEConfig) -> RAVEConfig:
    scales = MultiScaleConfig(_discriminator_capacity(config))
    return replace(config, discriminator=CombinedConfig((scales, SpectralConfig())))


def _discriminator_capacity(config: RAVEConfig) -> int:
    found = config.discriminator
    for part in found.parts if isinstance(found, CombinedConfig) else (found,):
        if isinstance(part, MultiPeriodConfig | MultiScaleConfig):
            return part.capacity
    return config.decoder.capacity


def _second(part: Any, wanted: type[Any], option: str) -> Any:
    if isinstance(part, wanted):
        return part
    raise RAVEConfigError(
        f"the option {option!r} has no place in the first model's parts",
        wanted=wanted.__name__,
        got=type(part).__name__,
        next_step=f'start from a configuration of the second kind: preset("v2", "{option}")',
    )


CHANGES: Mapping[str, Callable[[RAVEConfig], RAVEConfig]] = MappingProxyType(
    {
        "causal": _causal,
        "noise": _noise,
        "wasserstein": _wasserstein,
        "spherical": _spherical,
        "hybrid": _hybrid,
        "adain": _adain,
        "snake": _snake,
        "descript_discriminator": _descript,
        "spectral_discriminator": _spectral,
    }
)
"""What each option does to a configuration."""
