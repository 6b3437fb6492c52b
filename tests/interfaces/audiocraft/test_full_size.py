"""The published models at full size, without weights: names and shapes of both layouts, counts by theory."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from torchbend.interfaces.audiocraft import published
from torchbend.interfaces.audiocraft.chroma import Chroma
from torchbend.interfaces.audiocraft.language import LanguageModel
from torchbend.interfaces.audiocraft.loaded import built
from torchbend.interfaces.audiocraft.names import (
    codec_from_audiocraft,
    codec_to_audiocraft,
    language_from_transformers,
    language_to_transformers,
)
from torchbend.interfaces.audiocraft.pretrained import sizes_of
from torchbend.interfaces.audiocraft.yaml_config import YamlConfig

CODES, BOOKS, CHROMA = 2048, 4, 12

# What each is called, and its size, layers, heads, channels, whether it follows melodies.
SMALL, MEDIUM, LARGE = (1024, 24, 16), (1536, 48, 24), (2048, 48, 32)
MODELS = {
    "musicgen-small": (*SMALL, 1, False),
    "musicgen-medium": (*MEDIUM, 1, False),
    "musicgen-large": (*LARGE, 1, False),
    "musicgen-melody": (*MEDIUM, 1, True),
    "musicgen-melody-large": (*LARGE, 1, True),
    "musicgen-stereo-small": (*SMALL, 2, False),
    "musicgen-stereo-melody": (*MEDIUM, 2, True),
}
PUBLISHED = {"small": 0.42e9, "medium": 1.84e9, "large": 3.26e9, "melody": 1.38e9, "melody-large": 2.45e9}
"""Weights of the language models; that of a melody model has no attention of its own to the words."""

T5_BASE = {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12, "d_kv": 64, "vocab_size": 32128}
T5_LARGE = {"d_model": 1024, "d_ff": 4096, "num_layers": 24, "num_heads": 16, "d_kv": 64, "vocab_size": 32128}
RATIOS = {32000: [8, 5, 4, 4], 16000: [8, 5, 4, 2]}


def language_weights(size: int, layers: int, books: int, text: int, melody: bool) -> int:
    """How many weights the language model has, by theory."""
    attentions, norms = (1, 2) if melody else (2, 3)
    layer = (4 * attentions + 8) * size**2 + 2 * norms * size
    told = (text + 1) * size + ((CHROMA + 1) * size if melody else 0)
    return layers * layer + told + books * (2 * CODES + 1) * size + 2 * size


def codec_weights(ratios: list[int], filters: int = 64, hidden: int = 128) -> int:
    """How many weights the codec has, by theory: each convolution is a direction, lengths and biases."""

    def conv(before: int, after: int, kernel: int, transposed: bool = False) -> int:
        return before * after * kernel + (before if transposed else after) + after

    def residual(size: int) -> int:
        return conv(size, size // 2, 3) + conv(size // 2, size, 1)

    inside = filters * 2 ** len(ratios)
    recurrent = 2 * (4 * inside * 2 * inside + 8 * inside)
    total = conv(1, filters, 7) + conv(inside, hidden, 7) + conv(hidden, inside, 7) + conv(filters, 1, 7)
    total += 2 * recurrent
    for stage, ratio in enumerate(ratios):
        large, small = inside // 2**stage, inside // 2 ** (stage + 1)
        total += conv(large, small, 2 * ratio, transposed=True) + residual(small)
        total += conv(small, large, 2 * ratio) + residual(small)
    return total


def text_weights(d_model: int, d_ff: int, num_layers: int, num_heads: int, d_kv: int, vocab_size: int) -> int:
    """How many weights T5's encoder has, by theory."""
    layer = 4 * d_model * num_heads * d_kv + 2 * d_model * d_ff + 2 * d_model
    return vocab_size * d_model + num_layers * layer + 32 * num_heads + d_model


def count(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def shapes(weights: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in weights.items()}


def configuration(library: Any, size: int, layers: int, heads: int, channels: int, melody: bool) -> Any:
    """As ``config.json`` of the published model says."""
    kind = "MusicgenMelody" if melody else "Musicgen"
    decoder = getattr(library, f"{kind}DecoderConfig")(
        vocab_size=CODES,
        hidden_size=size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        ffn_dim=4 * size,
        num_codebooks=BOOKS * channels,
        audio_channels=channels,
        activation_function="gelu",
    )
    codec = library.EncodecConfig(
        sampling_rate=32000,
        target_bandwidths=[2.2],
        num_filters=64,
        upsampling_ratios=RATIOS[32000],
        codebook_size=CODES,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    text = library.T5Config(**T5_BASE, feed_forward_proj="relu")
    return getattr(library, f"{kind}Config")(text_encoder=text, audio_encoder=codec, decoder=decoder)


@pytest.mark.shows("BendedMusicGen", "full-size names and shapes", model="MusicGen")
@pytest.mark.parametrize("name", MODELS)
def test_full_size(name: str) -> None:
    library = pytest.importorskip("transformers")
    size, layers, heads, channels, melody = MODELS[name]
    config = configuration(library, size, layers, heads, channels, melody)
    model = built(sizes_of(config), config.audio_encoder, config.text_encoder, channels, device="meta")
    assert count(model.lm) == language_weights(size, layers, BOOKS * channels, 768, melody)
    known = PUBLISHED[name.removeprefix("musicgen-").removeprefix("stereo-")]
    assert count(model.lm) == pytest.approx(known, rel=0.05)
    assert count(model.compression_model) == codec_weights(RATIOS[32000])
    assert count(model.text_encoder) == text_weights(**T5_BASE) == 109_628_544
    found = shapes(model.state_dict())
    last = f"lm.transformer.layers.{layers - 1}"
    assert found[f"{last}.self_attn.in_proj_weight"] == (3 * size, size)
    assert found[f"{last}.linear1.weight"] == (4 * size, size)
    assert found["lm.condition_provider.conditioners.description.output_proj.weight"] == (size, 768)
    assert (f"{last}.cross_attention.in_proj_weight" in found) is not melody
    assert model.compression_model.hop == 640 and model.compression_model.decoder.late <= 12
    assert model.lm.sizes.delays == ((0, 1, 2, 3) if channels == 1 else (0, 0, 1, 1, 2, 2, 3, 3))
    assert model.lm.sizes.chroma == (Chroma() if melody else None)
    if melody:
        described = found["lm.condition_provider.conditioners.self_wav.output_proj.weight"]
        assert described == (size, CHROMA)


@pytest.mark.parametrize("name", ["musicgen-small", "musicgen-melody"])
def test_transformers_full_size_model_has_these_names(name: str) -> None:
    library = pytest.importorskip("transformers")
    config = configuration(library, *MODELS[name])
    kind = type(config).__name__.removesuffix("Config")
    with torch.device("meta"):
        theirs = getattr(library, f"{kind}ForConditionalGeneration")(config).state_dict()
        ours = LanguageModel(sizes_of(config)).state_dict()
    assert shapes(language_from_transformers(theirs)) == shapes(ours)
    parts = ("decoder.", "enc_to_dec_proj.", "audio_enc_to_dec_proj.")
    back = language_to_transformers(ours)
    assert shapes(back) == {n: s for n, s in shapes(theirs).items() if n.startswith(parts)}


# -- audiocraft's two files -----------------------------------------------------------------------------

LM_CFG = """
transformer_lm: {{dim: {size}, num_heads: {heads}, num_layers: {layers}, n_q: 4, card: 2048}}
codebooks_pattern: {{modeling: delay, delay: {{delays: [0, 1, 2, 3]}}}}
sample_rate: {rate}
dataset: {{segment_duration: {longest}}}
conditioners:
  description: {{model: t5, t5: {{name: {t5}}}}}
"""
MELODY = "  self_wav: {model: chroma_stem, chroma_stem: {radix2_exp: 14, n_chroma: 12, argmax: true}}\n"
CODEC_CFG = """
sample_rate: {rate}
encodec: {{renormalize: false, causal: false}}
seanet: {{dimension: 128, n_filters: 64, ratios: {ratios}, lstm: 2, true_skip: true, pad_mode: constant}}
"""


@pytest.mark.shows("BendedAudioGen", "full-size names and shapes", model="AudioGen")
@pytest.mark.parametrize(
    ("rate", "longest", "text", "melody"),
    [(16000, 10.0, T5_LARGE, False), (32000, 30.0, T5_BASE, True)],
    ids=["audiogen-medium", "melody"],
)
def test_the_two_files_at_full_size(rate: int, longest: float, text: dict[str, int], melody: bool) -> None:
    library = pytest.importorskip("transformers")
    size, layers, heads = MEDIUM
    t5 = "t5-large" if text is T5_LARGE else "t5-base"
    lm_cfg = LM_CFG.format(size=size, layers=layers, heads=heads, rate=rate, longest=longest, t5=t5)
    config = YamlConfig(lm_cfg + (MELODY if melody else ""), "xp.cfg")
    language = audiocraft_language(size, layers, text["d_model"], melody)
    sizes = published._sizes(language, config, published._delays(config, language), "state_dict.bin")
    assert sizes.chroma == (Chroma() if melody else None)
    codec_config = YamlConfig(CODEC_CFG.format(rate=rate, ratios=RATIOS[rate]), "xp.cfg")
    books = {f"quantizer.vq.layers.{k}._codebook.embed": torch.empty(0) for k in range(BOOKS)}
    encodec = published._encodec(books, codec_config, sizes.codes)
    model = built(sizes, encodec, library.T5Config(**text, feed_forward_proj="relu"), device="meta")
    assert shapes(model.lm.state_dict()) == shapes(language)
    assert count(model.lm) == language_weights(size, layers, BOOKS, text["d_model"], melody)
    assert count(model.compression_model) == codec_weights(RATIOS[rate])
    assert count(model.text_encoder) == text_weights(**text)
    codec = model.compression_model
    assert (
        codec.sample_rate / codec.hop == 50.0
        and codec.quantizer.get_num_quantizers_for_bandwidth(codec.bandwidth) == BOOKS
    )
    check_codec_names(codec.state_dict(), RATIOS[rate])


def audiocraft_language(size: int, layers: int, text: int, melody: bool) -> dict[str, Tensor]:
    """Names and shapes of the language model as audiocraft publishes it."""
    told = {"description": text, **({"self_wav": CHROMA} if melody else {})}
    found: dict[str, tuple[int, ...]] = {"out_norm.weight": (size,), "out_norm.bias": (size,)}
    for name, width in told.items():
        found[f"condition_provider.conditioners.{name}.output_proj.weight"] = (size, width)
        found[f"condition_provider.conditioners.{name}.output_proj.bias"] = (size,)
    for k in range(BOOKS):
        found[f"emb.{k}.weight"] = (CODES + 1, size)
        found[f"linears.{k}.weight"] = (CODES, size)
    for number in range(layers):
        layer = f"transformer.layers.{number}"
        for attention in ("self_attn",) if melody else ("self_attn", "cross_attention"):
            found[f"{layer}.{attention}.in_proj_weight"] = (3 * size, size)
            found[f"{layer}.{attention}.out_proj.weight"] = (size, size)
        for norm in ("norm1", "norm2") if melody else ("norm1", "norm2", "norm_cross"):
            found[f"{layer}.{norm}.weight"] = found[f"{layer}.{norm}.bias"] = (size,)
        found[f"{layer}.linear1.weight"], found[f"{layer}.linear2.weight"] = (
            (4 * size, size),
            (size, 4 * size),
        )
    return {name: torch.empty(shape, device="meta") for name, shape in found.items()}


def check_codec_names(weights: dict[str, Tensor], ratios: list[int]) -> None:
    """Some names and shapes of the codec as audiocraft publishes it, and all of them back."""
    layers = {name.replace(".model.", ".layers."): tensor for name, tensor in weights.items()}
    theirs = codec_to_audiocraft(layers)
    found = shapes(theirs)
    assert found["encoder.model.0.conv.conv.weight_v"] == (64, 1, 7)
    assert found["encoder.model.3.conv.conv.weight_v"] == (128, 64, 2 * ratios[-1])
    assert found["decoder.model.3.convtr.convtr.weight_v"] == (1024, 512, 2 * ratios[0])
    assert found["decoder.model.3.convtr.convtr.weight_g"] == (1024, 1, 1)
    assert found["decoder.model.1.lstm.weight_ih_l1"] == (4096, 1024)
    assert found["decoder.model.15.conv.conv.bias"] == (1,)
    assert found["quantizer.vq.layers.3._codebook.embed"] == (2048, 128)
    assert shapes(codec_from_audiocraft(theirs)) == shapes(layers)
