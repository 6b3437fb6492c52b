"""Vocoders out of their files: HiFi-GAN's own layout, and that of transformers' ``SpeechT5HifiGan``."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import CheckpointError, WeightsFileError
from torchbend.interfaces.sources import folder_of, weights_of
from torchbend.interfaces.vocoder.generator import Generator, HifiGanSizes
from torchbend.interfaces.vocoder.mel import LogMel
from torchbend.interfaces.vocoder.model import Vocoder
from torchbend.interfaces.vocoder.packaged import PACKAGED, packaged_files
from torchbend.interfaces.weight_norm import folded
from torchbend.weights_file import apply_weights, load_weights

__all__ = ["built", "read_files", "read_vocoder"]

_FILES = ("config.json", "preprocessor_config.json", "model*.safetensors")
_ENDINGS = (".pth.tar", ".pth", ".pt", ".ckpt", ".bin", ".safetensors")


def read_vocoder(source: str | os.PathLike[str], cache_dir: str | os.PathLike[str] | None = None) -> Vocoder:
    """The vocoder of a file, a folder or a name; arguments and errors are those of `BendedVocoder`."""
    if isinstance(source, str) and source.lower() in PACKAGED:
        return read_files(*packaged_files(PACKAGED[source.lower()]))
    if not isinstance(source, str | os.PathLike):
        raise CheckpointError(
            "this is no vocoder that is known here",
            site="source",
            wanted="a file, a folder, a name, or a Vocoder",
            got=type(source).__name__,
        )
    path = Path(source).expanduser()
    if path.is_file():
        return read_files(path.parent / "config.json", path)
    folder = folder_of(
        source, cache_dir, files=_FILES, example="microsoft/speecht5_hifigan", purpose="this vocoder"
    )
    config = _config(folder / "config.json")
    if "model_in_dim" in config:
        return _filled(_transformers(config), _renamed(weights_of(folder)), str(folder))
    return read_files(folder / "config.json", _checkpoint(folder))


def read_files(config: Path, weights: Path) -> Vocoder:
    """A vocoder of HiFi-GAN's own two files.

    Args:
        config: the file ``config.json``.
        weights: the checkpoint: its generator's weights, at the top or at ``generator``.

    Raises:
        CheckpointError: a file is missing, or tells of another model.
        WeightsFileError: the weights cannot be read without running code, or do not fit.
    """
    return _filled(_original(_config(config)), load_weights(weights), str(weights))


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            "the configuration of the vocoder cannot be read",
            site=str(path),
            wanted="config.json beside the weights",
            got=str(error).split("\n")[0],
        ) from error
    if not isinstance(config, dict) or "upsample_rates" not in config:
        told = config.get("model_type") if isinstance(config, dict) else type(config).__name__
        raise CheckpointError(
            "this is no configuration of a HiFi-GAN",
            site=str(path),
            wanted="upsample_rates, upsample_kernel_sizes, resblock_kernel_sizes, ...",
            got=f"a model of the kind {told}" if told else ", ".join(list(config)[:6]) or "nothing",
        )
    return config


def _checkpoint(folder: Path) -> Path:
    files = [p for p in sorted(folder.iterdir()) if p.is_file() and p.name.endswith(_ENDINGS)]
    found = [p for p in files if p.name.startswith("g")] or files  # of a training also "do_...": no generator
    found = found or [p for p in sorted(folder.iterdir()) if re.fullmatch(r"g_\d+", p.name)]
    if len(found) != 1:
        raise CheckpointError(
            "a folder with one set of weights is needed",
            site=str(folder),
            wanted="config.json and one checkpoint, as generator_v1 or g_02500000",
            got=", ".join(p.name for p in found[:6]) or "no weights",
            next_step="give the file itself" if found else None,
        )
    return found[0]


# -- configurations --------------------------------------------------------------------------------------


def _original(config: Mapping[str, Any]) -> Vocoder:
    try:
        sizes = _sizes(config, config.get("num_mels", 80), str(config.get("resblock", "1")) != "2")
        rate, hop = int(config.get("sampling_rate", 22050)), int(config.get("hop_size", sizes.hop))
        high = config.get("fmax") or rate / 2
        n_fft = int(config.get("n_fft", 1024))
        analysis = (rate, n_fft, hop, sizes.bands, float(config.get("fmin", 0)), float(high))
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(error) from error
    if hop != sizes.hop or config.get("win_size", n_fft) != n_fft:
        raise CheckpointError(
            "the spectrogram and the generator do not fit together",
            site="config.json",
            wanted=f"hop_size {sizes.hop}, the product of upsample_rates; win_size as long as n_fft",
            got=f"hop_size {hop}, win_size {config.get('win_size')}, n_fft {n_fft}",
        )
    return built(sizes, LogMel(*analysis), rate)


def _transformers(config: Mapping[str, Any]) -> Vocoder:
    try:
        sizes = _sizes(config, config["model_in_dim"], True)
        rate = int(config.get("sampling_rate", 16000))
        normalised = bool(config.get("normalize_before", True))
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(error) from error
    low, high = (80.0, 7600.0) if rate == 16000 else (0.0, 8000.0)
    analysis = LogMel(rate, 1024, sizes.hop, sizes.bands, low, high, floor=1e-10, decimal=True, centred=True)
    return built(sizes, analysis, rate, normalised)


def _sizes(config: Mapping[str, Any], bands: int, two: bool) -> HifiGanSizes:
    return HifiGanSizes(
        int(bands),
        int(config["upsample_initial_channel"]),
        tuple(map(int, config["upsample_rates"])),
        tuple(map(int, config["upsample_kernel_sizes"])),
        tuple(map(int, config["resblock_kernel_sizes"])),
        tuple(tuple(map(int, row)) for row in config["resblock_dilation_sizes"]),
        two,
        float(config.get("leaky_relu_slope", 0.1)),
    )


def _unreadable(error: Exception) -> CheckpointError:
    return CheckpointError(
        "the configuration of the vocoder is incomplete, or wrong",
        site="config.json",
        wanted="the sizes of a HiFi-GAN",
        got=f"{type(error).__name__}: {error}",
    )


def built(sizes: HifiGanSizes, analysis: LogMel, sample_rate: int, normalised: bool = False) -> Vocoder:
    """A vocoder of these sizes, its weights as torch makes them.

    Args:
        sizes: of the generator.
        analysis: the spectrogram that it was trained on.
        sample_rate: in Hz.
        normalised: the generator wants bands around 0.
    """
    parts = (torch.zeros(sizes.bands), torch.ones(sizes.bands)) if normalised else (None, None)
    return Vocoder(analysis, Generator(sizes), sample_rate, *parts)


# -- weights ---------------------------------------------------------------------------------------------


def _filled(vocoder: Vocoder, weights: Mapping[str, Tensor], site: str) -> Vocoder:
    weights = folded(weights)
    beside = {name: weights[name] for name in ("mean", "scale") if name in weights}
    generator = {name: tensor for name, tensor in weights.items() if name not in beside}
    try:
        apply_weights(vocoder.generator, {name: tensor.float() for name, tensor in generator.items()})
        if vocoder.mean is not None and vocoder.scale is not None:
            vocoder.mean.copy_(beside["mean"])
            vocoder.scale.copy_(beside["scale"])
    except (KeyError, RuntimeError) as error:
        raise WeightsFileError(
            "the weights lack the mean and the scale of the mel bands", site=site, got=str(error)
        ) from error
    return vocoder


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """transformers' names as the published code has them."""
    return {re.sub(r"^upsampler\.", "ups.", name.removeprefix("vocoder.")): t for name, t in weights.items()}
