"""Combinations that cannot work, refused with the reason before any module is built."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, get_args

from torchbend.errors import RAVEConfigError
from torchbend.rave.config import (
    Activation,
    DiscreteConfig,
    DiscriminatorConfig,
    EncoderConfig,
    EncoderV2Config,
    GeneratorConfig,
    GeneratorV1Config,
    GeneratorV2Config,
    LatentConfig,
    MelConfig,
    NoiseV1Config,
    NoiseV2Config,
    Padding,
    PQMFConfig,
    RAVEConfig,
    SphericalConfig,
    TrainingConfig,
    VariationalConfig,
    WassersteinConfig,
)
from torchbend.rave.validation_training import discriminator_errors, training_errors

__all__ = ["check"]

Errors = Iterator[RAVEConfigError]

_PARTS: Mapping[str, tuple[type[Any], ...]] = MappingProxyType(
    {
        "pqmf": (PQMFConfig,),
        "mel": (MelConfig, type(None)),
        "encoder": get_args(EncoderConfig),
        "latent": get_args(LatentConfig),
        "decoder": get_args(GeneratorConfig),
        "discriminator": get_args(DiscriminatorConfig),
        "training": (TrainingConfig,),
    }
)


def check(config: RAVEConfig) -> None:
    """Raise if a configuration cannot work; what the original could load and run passes.

    Raises:
        RAVEConfigError: the first reason that is found: site, what was wanted, what was got.
    """
    given: object = config
    if not isinstance(given, RAVEConfig):
        raise RAVEConfigError(
            "a model is built of a configuration",
            site="config",
            wanted="a RAVEConfig",
            got=repr(given)[:80],
            next_step='torchbend.rave.preset("v2") gives one; torchbend.rave.load(path) reads a model',
        )
    for errors in (_kinds, _own, _input, _encoder, _latent, _decoder, _fit, _training):
        for error in errors(config):
            raise error


def _kinds(config: RAVEConfig) -> Errors:
    for site, kinds in _PARTS.items():
        value = getattr(config, site)
        if not isinstance(value, kinds):
            yield RAVEConfigError(
                "this part is of a kind that has no place here",
                site=site,
                wanted="one of: " + ", ".join(kind.__name__ for kind in kinds),
                got=type(value).__name__,
            )


def _own(config: RAVEConfig) -> Errors:
    yield from _at_least(1, sampling_rate=config.sampling_rate, channels=config.channels)
    yield from _at_least(1, latent_size=config.latent_size)
    if config.padding not in get_args(Padding):
        yield _choice("padding", get_args(Padding), config.padding)
    if config.output not in ("pqmf", "raw"):
        yield _choice("output", ("pqmf", "raw"), config.output)
    bands, attenuation = config.pqmf.bands, config.pqmf.attenuation
    if not _whole(bands) or bands < 1 or bands & (bands - 1):
        yield RAVEConfigError(
            "the filter bank is built by halving",
            site="pqmf.bands",
            wanted="a power of two, 1 for no filter bank",
            got=bands,
        )
    if not (math.isfinite(attenuation) and attenuation > 21):
        yield RAVEConfigError(
            "Kaiser's design gives no filter for this attenuation",
            site="pqmf.attenuation",
            wanted="more than 21 dB; 40 to 120 are usual",
            got=attenuation,
        )


def _input(config: RAVEConfig) -> Errors:
    if config.input not in ("pqmf", "mel", "raw"):
        yield _choice("input", ("pqmf", "mel", "raw"), config.input)
    if config.input != "mel":
        return
    mel = config.mel
    if mel is None:
        yield RAVEConfigError(
            "the encoder's input is a spectrogram that nothing describes",
            site="mel",
            wanted='a MelConfig where input is "mel"',
            got=None,
            next_step="mel=MelConfig()",
        )
        return
    yield from _at_least(2, **{"mel.n_fft": mel.n_fft})
    yield from _at_least(1, **{"mel.hop": mel.hop, "mel.mels": mel.mels})
    if mel.hop > mel.n_fft:
        yield RAVEConfigError(
            "the spectrogram leaves out samples between its windows",
            site="mel.hop",
            wanted=f"at most n_fft, {mel.n_fft}",
            got=mel.hop,
        )


def _encoder(config: RAVEConfig) -> Errors:
    encoder = config.encoder
    yield from _at_least(1, **{"encoder.capacity": encoder.capacity})
    yield from _ratios("encoder.ratios", encoder.ratios)
    if isinstance(encoder, EncoderV2Config):
        yield from _second_kind("encoder", encoder)
    else:
        yield from _at_least(1, **{"encoder.repeat_layers": encoder.repeat_layers})


def _latent(config: RAVEConfig) -> Errors:
    latent = config.latent
    if isinstance(latent, DiscreteConfig):
        yield from _at_least(
            1,
            **{"latent.num_quantizers": latent.num_quantizers, "latent.codebook_size": latent.codebook_size},
        )
        yield from _at_least(0, **{"latent.kmeans_iterations": latent.kmeans_iterations})
        if not 0 <= latent.decay < 1:
            yield RAVEConfigError(
                "a moving average cannot keep all of its past",
                site="latent.decay",
                wanted="0 <= decay < 1",
                got=latent.decay,
            )
    if isinstance(latent, DiscreteConfig | WassersteinConfig):
        yield from _at_least(0, **{"latent.noise_augmentation": latent.noise_augmentation})
    if isinstance(latent, VariationalConfig) and not math.isfinite(latent.beta):
        yield RAVEConfigError("this factor is no number", site="latent.beta", got=latent.beta)
    if isinstance(latent, SphericalConfig) and config.latent_size < 2:
        yield RAVEConfigError(
            "a sphere in one dimension holds two points and no angle",
            site="latent_size",
            wanted="at least 2 for spherical latents",
            got=config.latent_size,
        )


def _decoder(config: RAVEConfig) -> Errors:
    decoder = config.decoder
    yield from _at_least(1, **{"decoder.capacity": decoder.capacity})
    yield from _ratios("decoder.ratios", decoder.ratios)
    first = isinstance(decoder, GeneratorV1Config)
    for ratio in decoder.ratios:
        # A first generator leaves out the transposed convolution where there is nothing to raise.
        if ratio % 2 and not (first and ratio == 1):
            yield RAVEConfigError(
                "a transposed convolution with an odd stride gives a sample too many",
                site="decoder.ratios",
                wanted="even ratios" + (", or 1" if first else ""),
                got=decoder.ratios,
            )
    if isinstance(decoder, GeneratorV1Config):
        yield from _at_least(1, **{"decoder.loudness_stride": decoder.loudness_stride})
        yield from _positive("decoder.kernels", decoder.kernels, "at least one kernel size")
        if not decoder.dilations:
            yield RAVEConfigError("a stack without layers", site="decoder.dilations", got=decoder.dilations)
        for each in decoder.dilations:
            yield from _positive("decoder.dilations", each, "a dilation for each convolution of a layer")
    else:
        yield from _second_kind("decoder", decoder)
    yield from _noise(config)


def _noise(config: RAVEConfig) -> Errors:
    noise = config.decoder.noise
    if noise is None:
        return
    wanted = NoiseV1Config if isinstance(config.decoder, GeneratorV1Config) else NoiseV2Config
    if not isinstance(noise, wanted):
        yield RAVEConfigError(
            "each generator has a noise part of its own kind",
            site="decoder.noise",
            wanted=f"a {wanted.__name__} in a {type(config.decoder).__name__}",
            got=type(noise).__name__,
        )
        return
    yield from _ratios("decoder.noise.ratios", noise.ratios)
    yield from _at_least(2, **{"decoder.noise.bands": noise.bands})
    if isinstance(noise, NoiseV2Config):
        yield from _at_least(1, **{"decoder.noise.hidden_size": noise.hidden_size})
        yield from _activation("decoder.noise.activation", noise.activation)


def _fit(config: RAVEConfig) -> Errors:
    encoder, decoder = config.encoder.ratios, config.decoder.ratios
    analysed = config.input_hop * math.prod(encoder)
    made = config.output_hop * math.prod(decoder)
    if analysed != made:
        yield RAVEConfigError(
            "the decoder does not give back as many samples as the encoder takes for each latent frame",
            site="encoder.ratios, decoder.ratios",
            wanted=f"{analysed} samples: {config.input_hop} x {'x'.join(map(str, encoder))}",
            got=f"{made} samples: {config.output_hop} x {'x'.join(map(str, decoder))}",
            next_step="change the ratios of one of them",
        )


def _training(config: RAVEConfig) -> Errors:
    yield from discriminator_errors(config.discriminator)
    yield from training_errors(config.training)


# -- parts -----------------------------------------------------------------------------------------------


def _second_kind(site: str, part: EncoderV2Config | GeneratorV2Config) -> Errors:
    yield from _at_least(1, **{f"{site}.kernel_size": part.kernel_size})
    yield from _at_least(0, **{f"{site}.recurrent_layers": part.recurrent_layers})
    yield from _activation(f"{site}.activation", part.activation)
    if len(part.dilations) < len(part.ratios):
        yield RAVEConfigError(
            "a stage has no dilations",
            site=f"{site}.dilations",
            wanted=f"{len(part.ratios)} lists, one for each ratio",
            got=len(part.dilations),
        )
    for stage in part.dilations:
        if any(not _whole(dilation) or dilation < 1 for dilation in stage):
            yield RAVEConfigError(
                "a dilation is a number of samples",
                site=f"{site}.dilations",
                wanted="whole numbers from 1 on",
                got=part.dilations,
            )


def _activation(site: str, value: object) -> Errors:
    if value not in get_args(Activation):
        yield _choice(site, get_args(Activation), value)


def _ratios(site: str, ratios: tuple[int, ...]) -> Errors:
    yield from _positive(site, ratios, "at least one ratio")


def _positive(site: str, values: tuple[int, ...], wanted: str) -> Errors:
    if not isinstance(values, tuple) or not values or any(not _whole(value) or value < 1 for value in values):
        yield RAVEConfigError(
            "these have to be whole numbers from 1 on", site=site, wanted=wanted, got=values
        )


def _at_least(least: int, **values: int) -> Errors:
    for site, value in values.items():
        if not _whole(value) or value < least:
            yield RAVEConfigError(
                "this value is too small, or no whole number",
                site=site,
                wanted=f"a whole number, at least {least}",
                got=repr(value),
            )


def _choice(site: str, known: tuple[object, ...], got: object) -> RAVEConfigError:
    names = ", ".join(repr(name) for name in known)
    return RAVEConfigError("this is not one of the choices", site=site, wanted=f"one of: {names}", got=got)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
