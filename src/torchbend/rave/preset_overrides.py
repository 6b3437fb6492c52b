"""Single values changed in a whole RAVE configuration, wherever they appear in its parts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from torchbend.errors import RAVEConfigError
from torchbend.rave.config import (
    CombinedConfig,
    EncoderV2Config,
    GeneratorV2Config,
    MultiPeriodConfig,
    MultiScaleConfig,
    RAVEConfig,
)

__all__ = ["override"]

# Name of the override -> the parts that have it -> the field there.
_PLACES: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "capacity": (("encoder", "capacity"), ("decoder", "capacity")),
        "ratios": (("encoder", "ratios"), ("decoder", "ratios")),
        "encoder_ratios": (("encoder", "ratios"),),
        "decoder_ratios": (("decoder", "ratios"),),
        "kernel_size": (("encoder", "kernel_size"), ("decoder", "kernel_size")),
        "dilations": (("encoder", "dilations"), ("decoder", "dilations")),
        "num_quantizers": (("latent", "num_quantizers"),),
        "codebook_size": (("latent", "codebook_size"),),
        "noise_augmentation": (("latent", "noise_augmentation"),),
        "bands": (("pqmf", "bands"),),
        "attenuation": (("pqmf", "attenuation"),),
        "phase_1_duration": (("training", "phase_1_duration"),),
    }
)
_OWN = tuple(field.name for field in fields(RAVEConfig))


def override(config: RAVEConfig, values: Mapping[str, object]) -> RAVEConfig:
    """The configuration with single values changed.

    Args:
        config: where to start.
        values: by name, as `torchbend.rave.presets.preset` takes them.

    Raises:
        RAVEConfigError: a name is unknown, or no part of this configuration has it.
    """
    whole = {name: value for name, value in values.items() if name in _OWN}
    config = replace(config, **whole)  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in whole:
            config = _change(config, name, _frozen(value))
    return config


def _change(config: RAVEConfig, name: str, value: Any) -> RAVEConfig:
    if name not in _PLACES:
        near = difflib.get_close_matches(name, [*_PLACES, *_OWN], 1)
        raise RAVEConfigError(
            f"no value of a configuration is called {name!r}",
            wanted=f"one of: {', '.join([*_PLACES, *_OWN])}",
            got=name,
            next_step=f"did you mean {near[0]!r}?" if near else None,
        )
    if name == "ratios" and config.input_hop != config.output_hop:
        raise RAVEConfigError(
            "the encoder and the decoder of this configuration do not share their ratios",
            got=f"an input of {config.input_hop} samples each, an output of {config.output_hop}",
            next_step="give encoder_ratios and decoder_ratios",
        )
    changed = 0
    for part, field in _PLACES[name]:
        old = getattr(config, part)
        # "dilations" of the first generator are those of its stacks, another thing under the same name.
        own = hasattr(old, field) and not (field == "dilations" and hasattr(old, "kernels"))
        if own:
            new = replace(old, **{field: value})
            config = replace(config, **{part: _paired(new) if field == "ratios" else new})
            changed += 1
    if name == "capacity":
        config = replace(config, discriminator=_widened(config.discriminator, value))
    if not changed:
        parts = ", ".join(type(getattr(config, part)).__name__ for part, _ in _PLACES[name])
        raise RAVEConfigError(f"no part of this configuration has a {name!r}", got=parts)
    return config


def _paired(part: Any) -> Any:
    """A part with as many lists of dilations as ratios: the first ones, those of a decoder the last ones."""
    stages = len(part.ratios) if isinstance(part.ratios, tuple) else 0
    if isinstance(part, EncoderV2Config):
        return replace(part, dilations=part.dilations[:stages])
    if isinstance(part, GeneratorV2Config):
        return replace(part, dilations=part.dilations[-stages:])
    return part


def _widened(discriminator: Any, capacity: int) -> Any:
    if isinstance(discriminator, CombinedConfig):
        return CombinedConfig(tuple(_widened(part, capacity) for part in discriminator.parts))
    if isinstance(discriminator, MultiPeriodConfig | MultiScaleConfig):
        return replace(discriminator, capacity=capacity)
    return discriminator


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value
