"""A RAVE configuration from the bindings of a configuration file.

Bindings without an effect in the original have none here: only what a class is built from is read. What
nobody read is told in `GinReading.unread`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from torchbend.errors import RAVEConfigError
from torchbend.rave.checkpoints.caveat import Caveat
from torchbend.rave.checkpoints.from_gin_parts import (
    read_decoder,
    read_encoder,
    read_latent,
    read_mel,
    read_padding,
)
from torchbend.rave.checkpoints.from_gin_training import read_discriminator, read_training
from torchbend.rave.checkpoints.gin import GinFile, read_gin_file
from torchbend.rave.checkpoints.gin_lookup import Lookup
from torchbend.rave.config import PQMFConfig, RAVEConfig
from torchbend.rave.preset_overrides import override
from torchbend.rave.presets import OPTIONS, PRESETS, preset
from torchbend.rave.validation import check

__all__ = ["SHIPPED", "GinReading", "config_from_gin", "read_gin"]

WITHOUT_EFFECT = ("mute", "compress", "gain", "normalize_ambient")
"""Shipped configurations that change the data, not the model."""

SHIPPED = (*PRESETS, *OPTIONS, *WITHOUT_EFFECT)
"""What an ``include`` can name."""

MACROS: Mapping[str, str] = MappingProxyType(
    {
        "CAPACITY": "capacity",
        "LATENT_SIZE": "latent_size",
        "SAMPLING_RATE": "sampling_rate",
        "RATIOS": "ratios",
        "DILATIONS": "dilations",
        "KERNEL_SIZE": "kernel_size",
        "N_BAND": "bands",
        "NOISE_AUGMENTATION": "noise_augmentation",
        "NUM_QUANTIZERS": "num_quantizers",
        "CODEBOOK_SIZE": "codebook_size",
        "PHASE_1_DURATION": "phase_1_duration",
    }
)
"""Macros of the shipped configurations, and what they change here."""


@dataclass(frozen=True)
class GinReading:
    """What was understood of a configuration file.

    Attributes:
        config: the model's configuration.
        file: what the file says.
        unread: parameters that nothing here depends on, as text: data, logging, ineffective ones.
        notes: what was found and could not be followed.
    """

    config: RAVEConfig
    file: GinFile
    unread: tuple[str, ...]
    notes: tuple[str, ...]


def config_from_gin(path: str | os.PathLike[str], *, channels: int = 1) -> RAVEConfig:
    """The configuration that a file describes.

    Args:
        path: of a ``config.gin`` that a run wrote, or of a file for training.
        channels: of the audio, which such files do not tell.

    Raises:
        RAVEConfigError: the file cannot be read, or describes no model that can work.
    """
    return read_gin(read_gin_file(path, SHIPPED), channels=channels).config


def read_gin(file: GinFile, *, channels: int = 1) -> GinReading:
    """The configuration that a parsed file describes, with what was left aside.

    Args:
        file: from `torchbend.rave.checkpoints.gin`.
        channels: of the audio.

    Raises:
        RAVEConfigError: a value is missing or has the wrong type, or the parts cannot work together.
    """
    lookup = Lookup(file)
    base = _base(lookup)
    notes = _ignored(lookup)
    if not base and not lookup.has("RAVE", "encoder"):
        raise RAVEConfigError(
            "this file describes no RAVE model",
            site=file.source,
            wanted="a value for RAVE.encoder and RAVE.decoder, or an include of a shipped configuration",
            got=", ".join(str(binding) for binding in file.bindings[:3]) or "no bindings",
        )
    config = replace(base or _relative(lookup), channels=channels, name="custom")
    config = replace(
        config,
        sampling_rate=lookup.whole("RAVE", "sampling_rate", config.sampling_rate),
        latent_size=lookup.whole("RAVE", "latent_size", config.latent_size),
        padding=read_padding(lookup, config.padding),
        pqmf=PQMFConfig(
            lookup.whole("CachedPQMF", "n_band", config.pqmf.bands),
            lookup.number("CachedPQMF", "attenuation", config.pqmf.attenuation),
        ),
        **_modes(lookup, config),
    )
    latent, inner = read_latent(lookup, config.latent)
    config = replace(
        config,
        mel=read_mel(lookup, config.mel) if config.input == "mel" else None,
        latent=latent,
        encoder=read_encoder(lookup, inner, config.encoder),
        decoder=read_decoder(lookup, config.decoder),
        discriminator=read_discriminator(lookup, config.discriminator, notes),
        training=read_training(lookup, config.training),
    )
    check(config)
    return GinReading(config, file, tuple(str(binding) for binding in lookup.unread()), tuple(notes))


def _base(lookup: Lookup) -> RAVEConfig | None:
    names = [name for name in lookup.file.bases if name not in WITHOUT_EFFECT]
    if not names:
        return None
    # A complete configuration overrides all that came before it; options are given in their order.
    complete = [i for i, name in enumerate(names) if name in PRESETS]
    start = names[complete[-1] :] if complete else names
    config = preset(*start)
    for macro, name in MACROS.items():
        if macro in lookup.file.macros:
            config = _overridden(config, name, _macro(lookup, macro))
    return config


def _macro(lookup: Lookup, name: str) -> Any:
    """A macro's value, if it is of the kind that the shipped configurations give it."""
    value = lookup.macro(name)
    usable, wanted = type(value) is int, "a whole number"
    if name in ("RATIOS", "DILATIONS"):
        lists = isinstance(value, list | tuple)
        wanted = "a list of whole numbers"
        usable = lists and all(type(item) is int for item in value)
        if name == "DILATIONS" and lists and not usable:
            wanted = "a list of lists of whole numbers"
            value = tuple(tuple(stage) if isinstance(stage, list | tuple) else stage for stage in value)
            usable = all(isinstance(stage, tuple) and all(type(d) is int for d in stage) for stage in value)
    if not usable:
        raise RAVEConfigError(
            "this value cannot be used", site=f"{lookup.file.source}, {name}", wanted=wanted, got=repr(value)
        )
    return tuple(value) if isinstance(value, list) else value


def _relative(lookup: Lookup) -> RAVEConfig:
    """The shipped configuration that gives what a run does not record: the schedule, the kind of distance."""
    latent = lookup.reference("RAVE", "encoder")
    if latent is not None and latent.name == "DiscreteEncoder":
        return preset("discrete")
    if latent is not None and latent.name.startswith("Wass"):
        return preset("v2", "wasserstein")
    inner = lookup.reference(latent.name, "encoder", latent.scope) if latent is not None else None
    return preset("v1" if inner is not None and inner.name == "Encoder" else "v2")


def _ignored(lookup: Lookup) -> list[str]:
    """What the file asks for and no model of this package has."""
    notes: list[str] = []
    for name in ("Conv1d", "ConvTranspose1d"):
        for scope in ("", "variational"):
            if lookup.get(name, "bias", False, scope) is True and lookup.has(name, "bias", scope):
                notes.append(Caveat(f"{name}.bias is True: encoder and decoder have no biases here"))
    mode = lookup.get("normalization", "mode", "weight_norm")
    if mode != "weight_norm":
        notes.append(Caveat(f"normalization.mode is {mode!r}: weights are normalised by weight_norm here"))
    return notes


def _overridden(config: RAVEConfig, name: str, value: Any) -> RAVEConfig:
    shared = config.input_hop == config.output_hop
    if name == "ratios" and not shared:
        # These configurations write their ratios out, without the macro.
        return config
    if name in ("noise_augmentation", "num_quantizers", "codebook_size") and not hasattr(config.latent, name):
        return config
    if name in ("kernel_size", "dilations") and not hasattr(config.decoder, "kernel_size"):
        return config
    if name == "dilations" and value and not isinstance(value[0], tuple):
        value = (value,) * len(config.decoder.ratios)
    return override(config, {name: value})


def _modes(lookup: Lookup, config: RAVEConfig) -> dict[str, Any]:
    given = {
        "input": lookup.get("RAVE", "input_mode", config.input),
        "output": lookup.get("RAVE", "output_mode", config.output),
    }
    encode = lookup.get("RAVE", "enable_pqmf_encode")
    decode = lookup.get("RAVE", "enable_pqmf_decode")
    if encode is not None or decode is not None:
        given = {"input": "pqmf" if encode else "raw", "output": "pqmf" if decode else "raw"}
    if lookup.get("RAVE", "is_mel_input") is not None:
        given["input"] = "mel"
    return given
