"""State dicts as they lie in checkpoints, made ready for a model: names, caches, EMA, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import CheckpointError
from torchbend.rave.config import EncoderV2Config, GeneratorV2Config, RAVEConfig

__all__ = ["OF_AVERAGE", "State", "audio_channels", "cleaned", "fitted_rows", "modulates", "with_ema"]

State = dict[str, Tensor]

OF_AVERAGE = "averaged_statistics"
"""Where a checkpoint of this project's keeps buffers that were found of the averaged weights."""

PRIOR = "synth."
"""What stands before the names of the model inside a prior's checkpoint."""

WRAPPERS = ("module.", "_orig_mod.", "model.", "rave.", "_rave.")
"""What wrappers put before every name."""

CACHES = (".pad", ".cache", "cache.initialized", "pad.initialized")
"""How the names of what a stream remembers end."""


def cleaned(given: Mapping[str, Any], source: str) -> tuple[State, list[str]]:
    """The state of a model in a state dict, with what was left aside.

    Args:
        given: tensors by name, as they lie in a checkpoint; those of a prior hold the model inside.
        source: a name for messages.

    Raises:
        CheckpointError: these are not the names of a RAVE model.
    """
    state = {n: v for n, v in given.items() if isinstance(n, str) and _plain(v)}
    notes = []
    for prefix in (PRIOR, *WRAPPERS):
        inside = {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
        if "latent_pca" not in state and "latent_pca" in inside:
            notes.append(f"the model lies under {prefix!r}: {len(state) - len(inside)} other tensors left")
            state = inside
            break
    caches = [name for name in state if name.endswith(CACHES) and "weight" not in name]
    if caches:
        notes.append(f"{len(caches)} caches of a stream left out")
    state = {_old_name(name): value for name, value in state.items() if name not in set(caches)}
    needed = ("encoder.encoder.net.0.", "decoder.net.0.", "latent_pca")
    missing = [name for name in needed if not any(key.startswith(name) for key in state)]
    if missing:
        raise CheckpointError(
            "these are not the weights of a RAVE model",
            site=source,
            wanted=f"names that start with {', '.join(needed)}",
            got=", ".join(map(str, list(given)[:6])) or "no weights",
            next_step="models of the first version of the code (before 2.0) have to be exported there"
            if any(name.startswith(("encoder.net.", "decoder.synth.")) for name in state)
            else None,
        )
    return state, notes


def with_ema(state: State, content: Mapping[str, Any], source: str) -> State:
    """The state with the parameters of the exponential moving average, if the run kept one.

    So are PCA and fidelity curve, where the run kept those that belong to the average. Other buffers (batch
    statistics, codebooks) stay those of the state.

    Raises:
        CheckpointError: the run kept no average.
    """
    callbacks = content.get("callbacks")
    average = callbacks.get("EMA") if isinstance(callbacks, Mapping) else None
    tensors = {
        _old_name(name.removeprefix(PRIOR)): value
        for name, value in (average.items() if isinstance(average, Mapping) else ())
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    fitting = {n: v for n, v in tensors.items() if n in state and v.shape == state[n].shape}
    if not fitting:
        raise CheckpointError(
            "this checkpoint holds no averaged weights",
            site=source,
            wanted="a run that was trained with --ema",
            got=", ".join(map(str, callbacks)) if isinstance(callbacks, Mapping) else "no callbacks",
            next_step="load it with ema=False",
        )
    own = content.get(OF_AVERAGE)
    statistics = own if isinstance(own, Mapping) else {}
    found = {n: v for n, v in statistics.items() if n in state and v.shape == state[n].shape}
    return {**state, **fitting, **found}


def audio_channels(state: State, config: RAVEConfig, source: str) -> int:
    """The number of audio channels, from the encoder's first weight.

    Raises:
        CheckpointError: the weight does not fit the configuration's input.
    """
    name = "encoder.encoder.net.0."
    weight = state.get(f"{name}weight_v", state.get(f"{name}weight"))
    each = config.input_size // config.channels
    if weight is None or weight.dim() != 3 or weight.shape[1] % each:
        raise CheckpointError(
            "the encoder's first weight does not fit the configuration",
            site=f"{source}, {name}weight",
            wanted=f"[channels, a multiple of {each}, samples]",
            got="no such weight" if weight is None else list(weight.shape),
        )
    return int(weight.shape[1]) // each


def modulates(state: State, config: RAVEConfig) -> bool | None:
    """Whether the second generator's waveform is modulated, from its last weight; ``None`` if unclear."""
    last = state.get("decoder.waveform_module.weight_v")
    if last is None:
        numbers = [
            int(name.split(".")[2])
            for name in state
            if name.startswith("decoder.net.") and "weight_v" in name
        ]
        last = state.get(f"decoder.net.{max(numbers, default=0)}.weight_v")
    if last is None or last.dim() != 3:
        return None
    found = {config.output_size: False, 2 * config.output_size: True}
    return found.get(int(last.shape[0]))


def fitted_rows(state: State, config: RAVEConfig, own: Mapping[str, Tensor]) -> State:
    """The state with the rows of adaptive normalisations cut, or filled up from ``own``."""
    parts = (config.encoder, config.decoder)
    if not any(isinstance(p, EncoderV2Config | GeneratorV2Config) and p.adain for p in parts):
        return state
    fitted = dict(state)
    for name, value in state.items():
        start = own.get(name)
        if start is None or name.rpartition(".")[2] not in ("mean_x", "mean_y", "std_x", "std_y"):
            continue
        if value.dim() == 3 and value.shape[1:] == start.shape[1:] and len(value) != len(start):
            fitted[name] = torch.cat([value, start[len(value) :]])[: len(start)]
    return fitted


def _plain(value: object) -> bool:
    """Whether this is a tensor of numbers that lie in memory."""
    if not isinstance(value, Tensor) or value.layout is not torch.strided:
        return False
    return not (value.is_quantized or value.is_complex() or value.device.type == "meta")


def _old_name(name: str) -> str:
    """Names of the parts of normalised weights as the model has them (torch has two ways to name them)."""
    for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
        ending = f"parametrizations.weight.{new}"
        if name.endswith(ending):
            return name.removesuffix(ending) + old
    return name
