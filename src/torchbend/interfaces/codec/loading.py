"""Codecs out of their files, through transformers' own classes."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import CheckpointError
from torchbend.interfaces.codec.dac import DacCodec
from torchbend.interfaces.codec.encodec import EncodecCodec
from torchbend.interfaces.libraries import transformers
from torchbend.interfaces.sources import folder_of, model_type, weights_of
from torchbend.interfaces.weight_norm import fold, folded, keep_finite
from torchbend.weights_file import apply_weights

__all__ = ["Codec", "codec_of", "read_codec"]

Codec = EncodecCodec | DacCodec
_PURPOSE = "a codec"
_FILES = ("config.json", "preprocessor_config.json", "model*.safetensors", "model.safetensors.index.json")
_TRAINING = ("codebook.inited", "codebook.cluster_size", "codebook.embed_avg")
"""What only training needs: it may be missing in a file."""


def codec_of(model: Any, *, whole: bool = True) -> Codec:
    """The codec of one of transformers' models; a copy, which the model's owner does not share.

    Args:
        model: an ``EncodecModel`` or a ``DacModel``.
        whole: put the two parts of normalised weights together.

    Raises:
        CheckpointError: it is something else.
    """
    kind = type(model).__name__
    if kind not in ("EncodecModel", "DacModel"):
        raise CheckpointError(
            "this is no codec that is known here",
            site="source",
            wanted="a folder, a name of the model hub, or transformers' EncodecModel or DacModel",
            got=kind,
        )
    # a deep copy would share its classes with the original, and putting weights together changes them
    with torch.random.fork_rng(devices=()):
        twin = type(model)(copy.deepcopy(model.config))
    return _filled(twin, model.state_dict(), whole)


def _filled(model: Any, weights: Mapping[str, Tensor], whole: bool) -> Codec:
    if whole:
        model, weights = fold(model), folded(weights)
    else:
        keep_finite(model)
    own = model.state_dict()
    spare = {name: own[name] for name in own if name.endswith(_TRAINING) and name not in weights}
    apply_weights(model, {**spare, **{name: tensor.float() for name, tensor in weights.items()}})
    return EncodecCodec(model) if type(model).__name__ == "EncodecModel" else DacCodec(model)


def read_codec(
    source: str | os.PathLike[str], cache_dir: str | os.PathLike[str] | None = None, *, whole: bool = True
) -> Codec:
    """The codec of a folder or hub name; arguments and errors are those of `BendedCodec`."""
    library = transformers(_PURPOSE)
    folder = folder_of(source, cache_dir, files=_FILES, example="facebook/encodec_24khz", purpose=_PURPOSE)
    return _filled(_built(library, folder), weights_of(folder), whole)


def _built(library: Any, folder: Path) -> Any:
    """The model of a folder's configuration, with random weights."""
    kinds = {
        "encodec": (library.EncodecConfig, library.EncodecModel),
        "dac": (library.DacConfig, library.DacModel),
    }
    kind = model_type(folder)
    if kind not in kinds:
        raise CheckpointError(
            "this folder holds no codec that is known here",
            site=str(folder / "config.json"),
            wanted="model_type " + " or ".join(kinds),
            got=repr(kind),
            next_step="BendedMusicGen loads MusicGen with its codec" if kind == "musicgen" else None,
        )
    from huggingface_hub.errors import StrictDataclassError

    config_class, model_class = kinds[kind]
    try:
        given = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        with torch.random.fork_rng(devices=()):
            return model_class(config_class.from_dict(given))
    except (ValueError, TypeError, KeyError, RuntimeError, AttributeError, StrictDataclassError) as error:
        raise CheckpointError(
            "the configuration of the codec cannot work",
            site=str(folder / "config.json"),
            got=str(error.__cause__ or error).strip().split("\n")[0][:200],
        ) from error
