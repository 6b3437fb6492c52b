"""Exported RAVE models (``.ts``), read without running them: weights, sizes and configuration.

Exports fold the normalised weights, leave out what only training needs, and keep what a stream remembers. The
sizes of the latter tell dilations and padding.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import CheckpointError
from torchbend.rave.checkpoints.archive import Archive
from torchbend.rave.checkpoints.exported_hints import find_hints
from torchbend.rave.checkpoints.infer import infer
from torchbend.rave.checkpoints.state import CACHES, State
from torchbend.rave.config import GeneratorV1Config, RAVEConfig, SphericalConfig
from torchbend.rave.config_json import from_dict

__all__ = ["is_exported", "read_exported"]

CONFIG = "rave_config.json"
"""The name of an extra file in an archive that holds the configuration, as `torchbend.rave` may write it."""

ENCODERS = ("encoder.encoder.net.", "encoder.net.")
PARTS = ("encoder.", "decoder.", "pqmf.", "spectrogram.")
OWN = ("latent_pca", "latent_mean", "fidelity", "receptive_field")
PLAIN = ("decoder.noise_module.", "decoder.synth.branches.2.")
"""Parts of the decoder whose weights are not normalised."""


def is_exported(path: Path) -> bool:
    """Whether a file is a TorchScript archive."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.split("/", 1)[-1].startswith("code/") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def read_exported(path: Path) -> tuple[RAVEConfig, State, list[str]]:
    """Configuration and weights of an exported model, and what had to be assumed.

    Args:
        path: of a TorchScript archive.

    Raises:
        CheckpointError: the archive is damaged, or holds no model of the family; the message tells what it
            holds.
    """
    with Archive(path) as archive:
        prefix = _prefix(archive)
        names = _names(archive, prefix)
        if not any(name.startswith("decoder.") for name in names):
            raise _foreign(archive, "the decoder of a RAVE model")
        hints = find_hints(archive, prefix, names)
        state = {
            own: archive.tensor(name)
            for own, name in names.items()
            if not own.endswith(CACHES) or own.endswith("weight")
        }
        parameters = f"{prefix}encode_params"
        params = archive.tensor(parameters).tolist() if parameters in archive.names else []
        written = archive.extra(CONFIG)
    state = _unfolded(state)
    notes = [] if "latent_pca" in state else ["the PCA of the latents is not in this file"]
    if written is not None:
        config = _read_config(written, path)
    else:
        state.setdefault("latent_pca", torch.eye(_latent_size(state, path)))
        config, told = infer(state, str(path), hints)
        config = replace(_at_own_rate(config, params, notes), name=path.stem)
        notes += told
    if prefix:
        notes.append(f"the model lies under {prefix!r}")
    return config, _completed(state, config), notes


def _prefix(archive: Archive) -> str:
    """What stands before the names of the model: wrappers put themselves in front."""
    for ending in ("latent_pca", *(f"{start}0.weight{part}" for start in ENCODERS for part in ("", "_v"))):
        found = [name for name in archive.names if name == ending or name.endswith(f".{ending}")]
        if found:
            return min(found, key=len).removesuffix(ending)
    raise _foreign(archive, "a tensor latent_pca, or the encoder of a RAVE model")


def _read_config(written: bytes, path: Path) -> RAVEConfig:
    try:
        return from_dict(json.loads(written))
    except ValueError as error:
        raise CheckpointError(
            "the configuration in this file cannot be used", site=str(path), got=str(error)
        ) from error


def _latent_size(state: State, path: Path) -> int:
    """The number of latents where no statistics tell it: what the decoder takes, or a codebook holds."""
    for name in ("encoder.rvq.layers.0._codebook.embed", "decoder.net.0.weight_v", "decoder.net.1.weight_v"):
        if name in state and state[name].dim() > 1:
            return int(state[name].shape[1])
    raise CheckpointError(
        "the decoder starts with no convolution", site=str(path), wanted="decoder.net.0.weight"
    )


def _names(archive: Archive, prefix: str) -> dict[str, str]:
    """The names that a whole model has, and those under which the archive has them."""
    inside = {name[len(prefix) :]: name for name in archive.names if name.startswith(prefix)}
    inside = {own: name for own, name in inside.items() if own in OWN or own.startswith(PARTS)}
    if not any(own.startswith("encoder.encoder.") for own in inside):
        # Without the bottleneck around it.
        inside = {
            own.replace("encoder.net.", "encoder.encoder.net.", 1)
            if own.startswith("encoder.net.")
            else own: name
            for own, name in inside.items()
        }
    return inside


def _unfolded(state: State) -> State:
    """The state with folded weights in the two parts that a model has."""
    second = any(name.startswith("encoder.encoder.net.") and ".aligned." in name for name in state)
    unfolded: State = {}
    for name, value in state.items():
        normalised = name.startswith("decoder.") and not name.startswith(PLAIN)
        normalised = normalised or (second and name.startswith("encoder.encoder.net."))
        if normalised and name.endswith(".weight") and value.dim() == 3:
            # Where an export holds the parts as well, the whole is what it plays.
            start = name.removesuffix("weight")
            unfolded[f"{start}weight_g"], unfolded[f"{start}weight_v"] = _split(value.float())
        else:
            unfolded.setdefault(name, value)
    return unfolded


def _split(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Length and direction of each row; a row of zeros gets a direction, so that it stays zero."""
    length = torch.norm_except_dim(weight, 2, 0)
    if bool((length == 0).any()):
        weight = torch.where(length == 0, torch.ones_like(weight), weight)
    return length, weight


def _completed(state: State, config: RAVEConfig) -> State:
    """The state with the flags that exports leave out: a trained model is in its second phase."""
    size = config.latent_size
    flags: State = {
        "latent_pca": torch.eye(size),
        "latent_mean": torch.zeros(size),
        "fidelity": torch.zeros(size),
        "receptive_field": torch.zeros(2, dtype=torch.long),
    }
    if isinstance(config.decoder, GeneratorV1Config):
        flags["decoder.warmed_up"] = torch.tensor(1)
    if not isinstance(config.latent, SphericalConfig):
        flags["encoder.warmed_up"] = torch.tensor(1)
    if hasattr(config.latent, "num_quantizers"):
        flags["encoder.enabled"] = torch.tensor(1)
    return flags | state


def _at_own_rate(config: RAVEConfig, params: list[Any], notes: list[str]) -> RAVEConfig:
    """The configuration at the rate of the model, where the export resamples around it."""
    outside = params[3] if len(params) == 4 else config.ratio
    factor, rest = divmod(outside, config.ratio)
    if rest or factor < 2:
        return config
    notes.append(
        f"the export resamples by {factor}: the model itself runs at {config.sampling_rate // factor} Hz"
    )
    return replace(config, sampling_rate=config.sampling_rate // factor)


def _frozen(archive: Archive) -> bool:
    """Whether an export for nn~ holds no weights of encoder and decoder, only what a stream remembers."""
    methods = any(name.endswith("_params") for name in archive.names)
    parts = [name for name in archive.names if "encoder.encoder." in name or "decoder." in name]
    weights = [name for name in parts if name.rpartition(".")[2].startswith("weight")]
    return methods and bool(parts) and not weights


def _foreign(archive: Archive, wanted: str) -> CheckpointError:
    top = archive.modules[""]
    if _frozen(archive):
        raise CheckpointError(
            "this exported model is for playing: its weights are constants of its program, without names",
            site=str(archive.path),
            wanted=wanted,
            got=f"a {top.short_kind} that was frozen; tensors " + ", ".join(archive.names[:4]),
            next_step="load the checkpoint that it was exported from"
            f"; {archive.path.with_suffix('.json').name} beside it, if it was kept, names the configuration "
            "and the SHA-256 of the weights",
        )
    inner = [prefix.rstrip(".") for prefix in archive.modules if prefix.count(".") == 1]
    return CheckpointError(
        "this exported model is none of the RAVE family, or of a version that is not known",
        site=str(archive.path),
        wanted=wanted,
        got=f"a {top.short_kind} of {', '.join(inner[:8]) or 'no parts'}; tensors "
        + (", ".join(archive.names[:6]) or "none"),
        next_step="load the checkpoint that it was exported from",
    )
