"""The configurations of the family by name: complete ones, and options that change one aspect of them.

``preset("v2")`` is a complete configuration; ``preset("v2", "causal", "noise")`` changes two aspects of it,
in that order. The values are those with which public models were trained. ``brave`` is a low-latency model
after Caspe et al., "Designing Neural Synthesizers for Low-Latency Interaction", arXiv 2503.11562.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from torchbend.errors import RAVEConfigError
from torchbend.rave.config import (
    DILATIONS,
    AdversarialConfig,
    BetaConfig,
    CombinedConfig,
    DiscreteConfig,
    DistanceConfig,
    EncoderV1Config,
    EncoderV2Config,
    GeneratorV1Config,
    GeneratorV2Config,
    MelConfig,
    MultiPeriodConfig,
    MultiScaleConfig,
    NoiseV2Config,
    PQMFConfig,
    RAVEConfig,
    TrainingConfig,
)
from torchbend.rave.preset_options import CHANGES, OPTIONS
from torchbend.rave.preset_overrides import override
from torchbend.rave.validation import check

__all__ = ["OPTIONS", "PRESETS", "preset"]

PRESETS: Mapping[str, str] = MappingProxyType(
    {
        "v1": "the first model: light encoder, waveform with loudness and noise",
        "v2": "dilated encoder and decoder, two families of discriminators",
        "v2_small": "half of v2's width, ratio 512, filtered noise",
        "v2_nopqmf": "v2 whose decoder makes audio itself, without sub-bands",
        "v2_nopqmf_small": "v2_nopqmf with a shorter first phase",
        "v2_with_augs": "v2 that hears a log-mel spectrogram",
        "v3": "v2 with Snake, adaptive instance normalisation and the Descript discriminator",
        "discrete": "v2 with a residual vector quantiser, ratio 1024",
        "discrete_v3": "discrete with Snake and the Descript discriminator",
        "onnx": "half of v1's width, without noise",
        "raspberry": "a quarter of v1's width, without noise",
        "brave": "low latency: ratio 128, causal, without noise, under 10 ms at 44.1 kHz",
    }
)
"""The complete configurations, each with a line on what it is."""


def preset(*names: str, **overrides: object) -> RAVEConfig:
    """A configuration by name.

    Args:
        names: a complete configuration (a key of `PRESETS`), then any of `OPTIONS`, applied in this order.
            The option ``hybrid`` holds v2: it can stand alone, and takes the place of the first model.
            ``snake`` changes nothing in the first model, which has no activation to choose.
        overrides: values to change at the end: ``capacity`` (of encoder, decoder and discriminators alike),
            ``latent_size``, ``channels``, ``sampling_rate``, ``num_quantizers``, ``codebook_size``,
            ``noise_augmentation``, ``ratios`` (of encoder and decoder), ``encoder_ratios``,
            ``decoder_ratios``, ``kernel_size``, ``dilations``, ``attenuation``, ``phase_1_duration``, or a
            field of `RAVEConfig`.

    Raises:
        RAVEConfigError: a name or an override is unknown, or the parts cannot work together.

    >>> preset("v2").ratio
    2048
    >>> preset("v2", "causal", capacity=6).decoder.capacity
    6
    """
    if not names:
        raise RAVEConfigError(
            "no configuration was named", wanted=f"one of: {', '.join(PRESETS)}", next_step='preset("v2")'
        )
    first, *rest = names
    if first in _COMPLETE:
        config = _COMPLETE[first]()
    elif first == "hybrid":
        config, rest = _v2(), list(names)
    else:
        raise _unknown(first, [*PRESETS, "hybrid"], "the first name is that of a complete configuration")
    for name in rest:
        if name not in CHANGES:
            raise _unknown(name, list(OPTIONS), "options follow the complete configuration")
        if name == "hybrid" and isinstance(config.decoder, GeneratorV1Config):
            config = _v2()
        config = CHANGES[name](config)
    config = replace(override(config, overrides), name=str(overrides.get("name", "+".join(names))))
    check(config)
    return config


def _unknown(name: object, known: list[str], why: str) -> RAVEConfigError:
    near = difflib.get_close_matches(str(name), known, 1)
    return RAVEConfigError(
        f"there is no configuration {name!r} here: {why}",
        wanted=f"one of: {', '.join(known)}",
        got=repr(name),
        next_step=f"did you mean {near[0]!r}?" if near else None,
    )


def _v1(capacity: int = 64, noise: bool = True) -> RAVEConfig:
    return RAVEConfig(
        encoder=EncoderV1Config(capacity=capacity),
        decoder=GeneratorV1Config(capacity=capacity) if noise else GeneratorV1Config(capacity, noise=None),
        discriminator=MultiScaleConfig(capacity),
        training=TrainingConfig(
            beta=BetaConfig(0.1, 0.1, 1),
            adversarial=AdversarialConfig(relative_features=False, skipped_features=0, update_every=2),
            weights=(("feature_matching", 10.0),),
            valid_signal_crop=False,
        ),
    )


def _v2(capacity: int = 96) -> RAVEConfig:
    return RAVEConfig(
        encoder=EncoderV2Config(capacity=capacity),
        decoder=GeneratorV2Config(capacity=capacity),
        discriminator=CombinedConfig((MultiPeriodConfig(capacity), MultiScaleConfig(capacity))),
    )


def _v2_small() -> RAVEConfig:
    ratios = (4, 2, 2, 2)
    base = _v2(48)
    return replace(
        base,
        encoder=EncoderV2Config(48, ratios),
        decoder=GeneratorV2Config(48, ratios, noise=NoiseV2Config(hidden_size=64, bands=32)),
        training=replace(
            base.training, beta=BetaConfig(0.01, 0.01, 300_000), adversarial=AdversarialConfig(update_every=2)
        ),
    )


def _v2_nopqmf() -> RAVEConfig:
    base = _v2(64)
    return replace(
        base,
        decoder=GeneratorV2Config(64, (8, 8, 8, 4)),
        output="raw",
        training=replace(base.training, beta=BetaConfig(1e-6, 0.01, 500_000)),
    )


def _v2_nopqmf_small() -> RAVEConfig:
    base = _v2_nopqmf()
    return replace(
        base, training=replace(base.training, phase_1_duration=500_000, beta=BetaConfig(0.1, 0.1, 1))
    )


def _v2_with_augs() -> RAVEConfig:
    base = _v2()
    return replace(
        base,
        input="mel",
        mel=MelConfig(),
        encoder=EncoderV2Config(96, (2, 2, 2), DILATIONS[:3]),
        training=replace(base.training, beta=BetaConfig(0.1, 0.1, 1), weights=(("feature_matching", 10.0),)),
    )


def _v3() -> RAVEConfig:
    config = _v2()
    for name in ("adain", "snake", "descript_discriminator"):
        config = CHANGES[name](config)
    return config


def _discrete() -> RAVEConfig:
    ratios = (4, 4, 2, 2)
    base = _v2()
    return replace(
        base,
        encoder=EncoderV2Config(96, ratios),
        latent=DiscreteConfig(),
        decoder=GeneratorV2Config(96, ratios),
        training=replace(
            base.training,
            phase_1_duration=200_000,
            beta=BetaConfig(0.1, 0.1, 1),
            distance=DistanceConfig(log_epsilon=1.0),
            adversarial=AdversarialConfig(skipped_features=0),
            warmup_quantize=-1,
        ),
    )


def _discrete_v3() -> RAVEConfig:
    config = _discrete()
    for name in ("snake", "descript_discriminator"):
        config = CHANGES[name](config)
    return replace(config, training=replace(config.training, beta=BetaConfig()))


def _brave() -> RAVEConfig:
    # From the paper: ratio 128, causal, no noise generator, a smaller encoder, dilations that give back the
    # receptive field. With 40 dB the filter bank (144 samples), the transposed convolutions (112) and one
    # block (128) are late by 8.7 ms together; with 70 dB it would be 11.6 ms.
    dilations = ((1, 1), (3, 1), (9, 1), (27, 1))
    base = _v1(64, noise=False)
    return replace(
        base,
        padding="causal",
        pqmf=PQMFConfig(attenuation=40.0),
        encoder=EncoderV1Config(32, (2, 2, 2)),
        decoder=GeneratorV1Config(64, (2, 2, 2), dilations=dilations, noise=None),
    )


_COMPLETE: Mapping[str, Callable[[], RAVEConfig]] = MappingProxyType(
    {
        "v1": _v1,
        "v2": _v2,
        "v2_small": _v2_small,
        "v2_nopqmf": _v2_nopqmf,
        "v2_nopqmf_small": _v2_nopqmf_small,
        "v2_with_augs": _v2_with_augs,
        "v3": _v3,
        "discrete": _discrete,
        "discrete_v3": _discrete_v3,
        "onnx": lambda: _v1(32, noise=False),
        "raspberry": lambda: _v1(16, noise=False),
        "brave": _brave,
    }
)
