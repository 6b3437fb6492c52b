"""The parts of a RAVE model that make its sound, from the bindings of a configuration file."""

from __future__ import annotations

from typing import Any

from torchbend.errors import RAVEConfigError
from torchbend.rave.checkpoints.gin_lookup import Lookup
from torchbend.rave.checkpoints.gin_tokens import Reference
from torchbend.rave.config import (
    Dilations,
    DiscreteConfig,
    EncoderConfig,
    EncoderV1Config,
    EncoderV2Config,
    GeneratorConfig,
    GeneratorV1Config,
    GeneratorV2Config,
    LatentConfig,
    MelConfig,
    NoiseV1Config,
    NoiseV2Config,
    SphericalConfig,
    VariationalConfig,
    WassersteinConfig,
)

__all__ = ["read_decoder", "read_encoder", "read_latent", "read_mel", "read_padding"]


def read_padding(lookup: Lookup, default: str) -> Any:
    """The padding of the convolutions of encoder, decoder and filter bank."""
    return lookup.get("get_padding", "mode", default)


def read_mel(lookup: Lookup, default: MelConfig | None) -> MelConfig:
    """The spectrogram that the encoder hears."""
    base = default or MelConfig()
    found = lookup.get("RAVE", "spectrogram")
    scope = found.scope if isinstance(found, Reference) else ""
    name = "MelSpectrogram"
    return MelConfig(
        lookup.whole(name, "n_fft", base.n_fft, scope),
        lookup.whole(name, "hop_length", base.hop, scope),
        lookup.whole(name, "n_mels", base.mels, scope),
    )


def read_latent(lookup: Lookup, default: LatentConfig) -> tuple[LatentConfig, Reference | None]:
    """The bottleneck, and the encoder inside it, ``None`` where the file names none."""
    given = lookup.reference("RAVE", "encoder")
    if given is None:
        return _bottleneck(lookup, type(default), "", "", default), None
    kinds: dict[str, type[Any]] = {
        "VariationalEncoder": VariationalConfig,
        "WasserteinEncoder": WassersteinConfig,
        "WassersteinEncoder": WassersteinConfig,
        "DiscreteEncoder": DiscreteConfig,
        "SphericalEncoder": SphericalConfig,
    }
    if given.name not in kinds:
        raise lookup.wrong("RAVE", "encoder", f"one of: {', '.join(kinds)}", given)
    inner = lookup.reference(given.name, "encoder", given.scope) or lookup.reference(
        given.name, "encoder_cls", given.scope
    )
    return _bottleneck(lookup, kinds[given.name], given.name, given.scope, default), inner


def read_encoder(lookup: Lookup, given: Reference | None, default: EncoderConfig) -> EncoderConfig:
    """The encoder inside the bottleneck."""
    if given is None:
        given = Reference("EncoderV2" if isinstance(default, EncoderV2Config) else "Encoder")
    name, scope = given.name, given.scope
    if name == "Encoder":
        first = default if isinstance(default, EncoderV1Config) else EncoderV1Config()
        return EncoderV1Config(
            lookup.whole(name, "capacity", first.capacity, scope),
            lookup.wholes(name, "ratios", first.ratios, scope),
            lookup.whole(name, "repeat_layers", first.repeat_layers, scope),
            lookup.truth(name, "sample_norm", first.sample_norm, scope),
        )
    if name != "EncoderV2":
        raise RAVEConfigError(
            "this encoder is not known",
            site=lookup.file.source,
            wanted="@Encoder or @EncoderV2",
            got=f"@{given.path}",
        )
    second = default if isinstance(default, EncoderV2Config) else EncoderV2Config()
    ratios = lookup.wholes(name, "ratios", second.ratios, scope)
    return EncoderV2Config(
        lookup.whole(name, "capacity", second.capacity, scope),
        ratios,
        _dilations(lookup, name, second.dilations, scope)[: len(ratios)],
        lookup.whole(name, "kernel_size", second.kernel_size, scope),
        lookup.truth(name, "keep_dim", second.keep_dim, scope),
        _activation(lookup, name, second.activation, scope),
        _adain(lookup, name, second.adain, scope),
        _recurrent(lookup, name, second.recurrent_layers, scope),
    )


def read_decoder(lookup: Lookup, default: GeneratorConfig) -> GeneratorConfig:
    """The decoder."""
    given = lookup.reference("RAVE", "decoder")
    if given is None:
        given = Reference("GeneratorV2" if isinstance(default, GeneratorV2Config) else "Generator")
    if given.name == "Generator":
        first = default if isinstance(default, GeneratorV1Config) else GeneratorV1Config()
        return _first_generator(lookup, given, first)
    if given.name != "GeneratorV2":
        raise lookup.wrong("RAVE", "decoder", "@Generator or @GeneratorV2", given)
    name, scope = given.name, given.scope
    second = default if isinstance(default, GeneratorV2Config) else GeneratorV2Config()
    ratios = lookup.wholes(name, "ratios", second.ratios, scope)
    return GeneratorV2Config(
        lookup.whole(name, "capacity", second.capacity, scope),
        ratios,
        # The original takes both lists from their ends.
        _dilations(lookup, name, second.dilations, scope)[-len(ratios) :],
        lookup.whole(name, "kernel_size", second.kernel_size, scope),
        lookup.truth(name, "keep_dim", second.keep_dim, scope),
        _activation(lookup, name, second.activation, scope),
        _adain(lookup, name, second.adain, scope),
        lookup.truth(name, "amplitude_modulation", second.amplitude_modulation, scope),
        _recurrent(lookup, name, second.recurrent_layers, scope),
        _second_noise(lookup, name, second.noise, scope),
    )


def _bottleneck(
    lookup: Lookup, kind: type[Any], name: str, scope: str, default: LatentConfig
) -> LatentConfig:
    if kind is VariationalConfig:
        beta = default.beta if isinstance(default, VariationalConfig) else 1.0
        return VariationalConfig(lookup.number(name or "VariationalEncoder", "beta", beta, scope))
    if kind is WassersteinConfig:
        old = default if isinstance(default, WassersteinConfig) else WassersteinConfig()
        name = name or "WasserteinEncoder"
        return WassersteinConfig(lookup.whole(name, "noise_augmentation", old.noise_augmentation, scope))
    if kind is SphericalConfig:
        return SphericalConfig()
    base = default if isinstance(default, DiscreteConfig) else DiscreteConfig()
    name, quantiser = name or "DiscreteEncoder", "ResidualVectorQuantization"
    count = lookup.whole(name, "num_quantizers", base.num_quantizers, scope)
    return DiscreteConfig(
        num_quantizers=lookup.whole(quantiser, "num_quantizers", count),
        codebook_size=lookup.whole(quantiser, "codebook_size", base.codebook_size),
        noise_augmentation=lookup.whole(name, "noise_augmentation", base.noise_augmentation, scope),
        decay=lookup.number(quantiser, "decay", base.decay),
        epsilon=lookup.number(quantiser, "epsilon", base.epsilon),
        dead_code_threshold=lookup.number(quantiser, "threshold_ema_dead_code", base.dead_code_threshold),
        kmeans_iterations=lookup.whole(quantiser, "kmeans_iters", base.kmeans_iterations),
    )


def _first_generator(lookup: Lookup, given: Reference, default: GeneratorV1Config) -> GeneratorV1Config:
    name, scope = given.name, given.scope
    layers = lookup.get("ResidualStack", "dilations_list", None)
    noise: NoiseV1Config | None = None
    if lookup.truth(name, "use_noise", default.noise is not None, scope):
        base = default.noise or NoiseV1Config()
        noise = NoiseV1Config(
            lookup.wholes("NoiseGenerator", "ratios", base.ratios),
            lookup.whole("NoiseGenerator", "noise_bands", base.bands),
        )
    return GeneratorV1Config(
        lookup.whole(name, "capacity", default.capacity, scope),
        lookup.wholes(name, "ratios", default.ratios, scope),
        lookup.wholes("ResidualStack", "kernel_sizes", default.kernels),
        default.dilations if layers is None else _nested(lookup, "ResidualStack", "dilations_list", layers),
        lookup.whole(name, "loud_stride", default.loudness_stride, scope),
        noise,
    )


def _second_noise(
    lookup: Lookup, generator: str, default: NoiseV2Config | None, scope: str
) -> NoiseV2Config | None:
    if not lookup.has(generator, "noise_module", scope):
        return default
    given = lookup.reference(generator, "noise_module", scope)
    if given is None:
        return None
    if given.name != "NoiseGeneratorV2":
        raise lookup.wrong(generator, "noise_module", "@NoiseGeneratorV2 or None", given)
    base = default or NoiseV2Config()
    name = given.name
    return NoiseV2Config(
        lookup.whole(name, "hidden_size", base.hidden_size, given.scope),
        lookup.wholes(name, "ratios", base.ratios, given.scope),
        lookup.whole(name, "noise_bands", base.bands, given.scope),
        _activation(lookup, name, base.activation, given.scope),
    )


def _dilations(lookup: Lookup, name: str, default: Dilations, scope: str) -> Dilations:
    value = lookup.get(name, "dilations", None, scope)
    if value is None:
        return default
    if isinstance(value, list | tuple) and value and all(type(item) is int for item in value):
        # A flat list holds for every stage.
        return (tuple(value),) * len(lookup.wholes(name, "ratios", (1,) * len(default), scope))
    return _nested(lookup, name, "dilations", value)


def _nested(lookup: Lookup, name: str, parameter: str, value: Any) -> Dilations:
    lists = isinstance(value, list | tuple) and all(isinstance(each, list | tuple) for each in value)
    if not lists or any(type(item) is not int for each in value for item in each):
        raise lookup.wrong(name, parameter, "lists of whole numbers", value)
    return tuple(tuple(each) for each in value)


def _activation(lookup: Lookup, name: str, default: str, scope: str) -> Any:
    if not lookup.has(name, "activation", scope):
        return default
    given = lookup.reference(name, "activation", scope)
    plain = given is None or given.name.lower().replace("_", "") in ("leakyrelu", "lrelu")
    if given is not None and given.name == "Snake":
        return "snake"
    if not plain:
        raise lookup.wrong(name, "activation", "@Snake, or a leaky ReLU", given)
    return "leaky_relu"


def _adain(lookup: Lookup, name: str, default: bool, scope: str) -> bool:
    if not lookup.has(name, "adain", scope):
        return default
    given = lookup.reference(name, "adain", scope)
    if given is not None and given.name != "AdaptiveInstanceNormalization":
        raise lookup.wrong(name, "adain", "@AdaptiveInstanceNormalization or None", given)
    return given is not None


def _recurrent(lookup: Lookup, name: str, default: int, scope: str) -> int:
    if not lookup.has(name, "recurrent_layer", scope):
        return default
    given = lookup.reference(name, "recurrent_layer", scope)
    if given is None:
        return 0
    if given.name != "GRU":
        raise lookup.wrong(name, "recurrent_layer", "@GRU or None", given)
    return lookup.whole(given.name, "num_layers", 1, given.scope)
