"""What every reader of a model's files gives: parts, sizes, tokenizer; and how parts are built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.errors import CheckpointError
from torchbend.interfaces.audiocraft.codec import Codec
from torchbend.interfaces.audiocraft.language import LanguageModel, LanguageSizes
from torchbend.interfaces.audiocraft.model import AudiocraftModel
from torchbend.interfaces.libraries import transformers

__all__ = ["Loaded", "built", "filled", "tokenizer_of"]


@dataclass(frozen=True)
class Loaded:
    """A model out of its files.

    Attributes:
        model: its parts.
        tokenizer: of the text encoder.
        longest: seconds that it was trained to hear at once; None where the files do not tell.
    """

    model: AudiocraftModel
    tokenizer: Any
    longest: float | None = None


def built(
    sizes: LanguageSizes, codec_config: Any, text_config: Any, channels: int = 1, *, device: str = "cpu"
) -> AudiocraftModel:
    """A model of these sizes, its weights not set.

    Args:
        sizes: of the language model.
        codec_config: transformers' ``EncodecConfig``.
        text_config: transformers' ``T5Config``.
        channels: of the sound.
        device: ``"meta"`` makes names and shapes without memory.

    Raises:
        CheckpointError: a codec of another kind.
        MissingExtraError: transformers is not installed.
    """
    library = transformers("MusicGen and AudioGen")
    if codec_config.normalize or codec_config.chunk_length_s is not None:
        raise CheckpointError(
            "a codec that works in chunks, or normalises them, belongs to none of these models",
            site="audio_encoder",
            wanted="EnCodec as MusicGen and AudioGen use it",
            got=f"normalize={codec_config.normalize}, chunk_length_s={codec_config.chunk_length_s}",
        )
    with torch.device(device):
        codec = Codec(library.EncodecModel(codec_config), sizes.codebooks // channels)
        text_encoder = library.T5EncoderModel(text_config)
    with torch.device("meta"):
        language = LanguageModel(sizes)
    return AudiocraftModel(codec, language, text_encoder, channels)


def filled(module: nn.Module, weights: Mapping[str, Tensor], site: str, *, assign: bool = False) -> None:
    """Put weights into a part; what only training needs may be missing or left over.

    Raises:
        CheckpointError: names or shapes do not fit.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in weights]
    unknown = [name for name in weights if name not in own]
    shapes = [
        f"{name}: {tuple(own[name].shape)} wanted, {tuple(weights[name].shape)} in the file"
        for name in own
        if name in weights and own[name].shape != weights[name].shape
    ]
    if missing or unknown or shapes:
        told = (("missing", missing), ("unknown", unknown), ("other shapes", shapes))
        raise CheckpointError(
            f"the weights do not fit the configuration ({type(module).__name__})",
            site=site,
            wanted=f"{len(own)} tensors",
            got="; ".join(f"{what} ({len(n)}): {', '.join(n[:4])}" for what, n in told if n),
            next_step="MusicGen and AudioGen with a text or a melody are known, not models of other kinds",
        )
    given = {name: tensor.to(torch.float32) for name, tensor in weights.items() if tensor.is_floating_point()}
    module.load_state_dict({**weights, **given}, assign=assign)


def tokenizer_of(folder: Path) -> Any:
    """The tokenizer that a folder holds.

    Raises:
        CheckpointError: it holds none.
    """
    # without files transformers makes one that knows no word
    if not any((folder / name).is_file() for name in ("tokenizer.json", "spiece.model")):
        raise _no_tokenizer(folder, "neither tokenizer.json nor spiece.model")
    try:
        return transformers("MusicGen and AudioGen").AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise _no_tokenizer(folder, str(error).strip().split("\n")[0][:200]) from error


def _no_tokenizer(folder: Path, got: str) -> CheckpointError:
    return CheckpointError(
        "the tokenizer of the text encoder cannot be read",
        site=str(folder),
        wanted="tokenizer.json and tokenizer_config.json",
        got=got,
        next_step="copy them there from where the model came from, or from t5-base",
    )
