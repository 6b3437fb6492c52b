"""A model as transformers saves it: one configuration, one set of weights, a tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from torchbend.errors import CheckpointError
from torchbend.interfaces.audiocraft.language import LanguageSizes
from torchbend.interfaces.audiocraft.loaded import Loaded, built, filled, tokenizer_of
from torchbend.interfaces.audiocraft.names import codec_from_audiocraft, language_from_transformers
from torchbend.interfaces.libraries import transformers
from torchbend.interfaces.sources import model_type, weights_of

__all__ = ["read_pretrained", "sizes_of"]


def read_pretrained(folder: Path) -> Loaded:
    """The model of a folder that ``save_pretrained`` wrote.

    Raises:
        CheckpointError: it is a model of another kind, or weights do not fit.
        WeightsFileError: weights cannot be read without running code.
    """
    library = transformers("MusicGen and AudioGen")
    _check_kind(folder)
    config = library.MusicgenConfig.from_pretrained(folder)
    weights = weights_of(folder)
    model = built(sizes_of(config), config.audio_encoder, config.text_encoder, config.decoder.audio_channels)
    site = str(folder)
    filled(model.lm, language_from_transformers(weights), site, assign=True)
    fill_codec(model, codec_from_audiocraft(_below("audio_encoder.", weights)), site)
    fill_text_encoder(model, _below("text_encoder.", weights), site)
    return Loaded(model, tokenizer_of(folder))


def sizes_of(config: Any) -> LanguageSizes:
    """The language model's sizes, of a ``MusicgenConfig``.

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
    )


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


def _check_kind(folder: Path) -> None:
    kind = model_type(folder)
    if kind != "musicgen":
        melody = kind == "musicgen_melody"
        raise CheckpointError(
            "a MusicGen that follows a melody is another architecture, which is not known here"
            if melody
            else "this is no MusicGen",
            site=str(folder / "config.json"),
            wanted="model_type musicgen",
            got=f"model_type {kind}",
            next_step="take facebook/musicgen-small, -medium or -large"
            if melody
            else "BendedModule wraps any model of transformers",
        )


def _below(prefix: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: t for name, t in weights.items() if name.startswith(prefix)}
