"""A model as transformers saves it: one configuration, one set of weights, a tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from torchbend.errors import CheckpointError
from torchbend.interfaces.audiocraft.chroma import Chroma
from torchbend.interfaces.audiocraft.language import LanguageSizes
from torchbend.interfaces.audiocraft.loaded import Loaded, built, filled, tokenizer_of
from torchbend.interfaces.audiocraft.names import codec_from_audiocraft, language_from_transformers
from torchbend.interfaces.libraries import transformers
from torchbend.interfaces.sources import model_type, weights_of

__all__ = ["fill_codec", "fill_text_encoder", "read_pretrained", "sizes_of"]

_CONFIGURATIONS = {"musicgen": "MusicgenConfig", "musicgen_melody": "MusicgenMelodyConfig"}


def read_pretrained(folder: Path) -> Loaded:
    """The model of a folder that ``save_pretrained`` wrote.

    Raises:
        CheckpointError: it is a model of another kind, or weights do not fit.
        WeightsFileError: weights cannot be read without running code.
    """
    library = transformers("MusicGen and AudioGen")
    kind = _check_kind(folder)
    config = getattr(library, _CONFIGURATIONS[kind]).from_pretrained(folder)
    weights = weights_of(folder)
    sizes = sizes_of(config, _feature_extractor(folder))
    model = built(sizes, config.audio_encoder, config.text_encoder, config.decoder.audio_channels)
    site = str(folder)
    filled(model.lm, language_from_transformers(weights), site, assign=True)
    fill_codec(model, codec_from_audiocraft(_below("audio_encoder.", weights)), site)
    fill_text_encoder(model, _below("text_encoder.", weights), site)
    return Loaded(model, tokenizer_of(folder))


def sizes_of(config: Any, extractor: Mapping[str, Any] | None = None) -> LanguageSizes:
    """The language model's sizes.

    Args:
        config: transformers' ``MusicgenConfig``, or ``MusicgenMelodyConfig``.
        extractor: how a model that follows melodies hears them, as ``preprocessor_config.json`` has it.

    Raises:
        CheckpointError: its text encoder is as large as the language model, and so has no projection.
    """
    decoder, text = config.decoder, config.text_encoder
    if text.d_model == decoder.hidden_size or decoder.activation_function != "gelu":
        raise CheckpointError(
            "a MusicGen of another build",
            site="config.json",
            wanted="a text encoder of another size than the language model, and GELU inside",
            got=f"{text.d_model} and {decoder.hidden_size}, {decoder.activation_function}",
        )
    books = decoder.num_codebooks
    delays = range(books) if decoder.audio_channels == 1 else (k // 2 for k in range(books))
    return LanguageSizes(
        size=decoder.hidden_size,
        layers=decoder.num_hidden_layers,
        heads=decoder.num_attention_heads,
        inner=decoder.ffn_dim,
        codebooks=books,
        codes=decoder.vocab_size,
        text_size=text.d_model,
        delays=tuple(delays),
        chroma=_chroma(config, extractor or {}) if config.model_type == "musicgen_melody" else None,
    )


def _chroma(config: Any, extractor: Mapping[str, Any]) -> Chroma:
    usual = Chroma()
    window = extractor.get("n_fft", usual.window)
    hop = extractor.get("hop_length", usual.hop)
    if config.num_chroma == config.decoder.hidden_size or not _whole(window) or not _whole(hop):
        raise CheckpointError(
            "a MusicGen that hears melodies in another way",
            site="config.json, preprocessor_config.json",
            wanted="num_chroma other than hidden_size; n_fft and hop_length above 0",
            got=f"{config.num_chroma} and {config.decoder.hidden_size}; {window} and {hop}",
        )
    return Chroma(config.num_chroma, config.chroma_length, window, hop)


def _whole(number: object) -> bool:
    return isinstance(number, int) and number > 0


def _feature_extractor(folder: Path) -> dict[str, Any]:
    """What ``preprocessor_config.json`` says; nothing where there is none."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError("the configuration cannot be read", site=str(path), got=str(error)) from error
    return found if isinstance(found, dict) else {}


def fill_codec(model: Any, weights: dict[str, Tensor], site: str) -> None:
    """Put the codec's weights, under transformers' names, into a model."""
    here = {
        name.replace("encoder.layers.", "encoder.model.").replace("decoder.layers.", "decoder.model."): tensor
        for name, tensor in weights.items()
    }
    filled(model.compression_model, here, site)


def fill_text_encoder(model: Any, weights: dict[str, Tensor], site: str) -> None:
    """Put T5's weights into a model; a file may hold its embedding once or twice."""
    shared = weights.get("shared.weight", weights.get("encoder.embed_tokens.weight"))
    tied = ("shared.weight", "encoder.embed_tokens.weight")
    both = (
        {} if shared is None else {name: shared for name in tied if name in model.text_encoder.state_dict()}
    )
    rest = {name: tensor for name, tensor in weights.items() if name not in tied}
    filled(model.text_encoder, {**both, **rest}, site)


def _check_kind(folder: Path) -> str:
    kind = model_type(folder)
    if kind not in _CONFIGURATIONS:
        raise CheckpointError(
            "this is no MusicGen",
            site=str(folder / "config.json"),
            wanted=f"model_type {' or '.join(_CONFIGURATIONS)}",
            got=f"model_type {kind}",
            next_step="BendedModule wraps any model of transformers",
        )
    return kind


def _below(prefix: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: t for name, t in weights.items() if name.startswith(prefix)}
