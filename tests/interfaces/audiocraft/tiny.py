"""Tiny random models in both layouts; audiocraft's is written here from what is known of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

RATE, HOP = 320, 32
CHROMA_FRAMES, CHROMA_WINDOW, CHROMA_HOP = 61, 64, 16
"""How the melody model hears: three seconds."""

# The configuration as audiocraft writes it: values, and references to other values.
LM_CFG = """
transformer_lm: {{dim: 16, num_heads: 2, num_layers: {layers}, n_q: 4, card: 16}}
codebooks_pattern: {{modeling: delay, delay: {{delays: [0, 1, 2, 3]}}}}
conditioners:
  args: {{merge_text_conditions_p: 0.25}}
  description: {{model: t5, t5: {{name: {t5}, finetune: false}}}}{melody}
dataset: {{segment_duration: {longest}}}
"""
MELODY_CFG = """
  self_wav:
    model: chroma_stem
    chroma_stem: {{sample_rate: "${{sample_rate}}", n_chroma: 12, radix2_exp: 6, argmax: true}}
fuser: {{prepend: [self_wav, description], cross: []}}
sample_rate: 320"""
CODEC_CFG = """
sample_rate: 320
channels: 1
encodec: {{renormalize: false, causal: false}}
seanet:
  dimension: 8
  n_filters: 4
  ratios: [4, 2, 2, 2]
  causal: ${{encodec.causal}}
  pad_mode: {pad_mode}
  true_skip: true
  lstm: 2
"""


def model(
    layers: int = 2,
    channels: int = 1,
    pad_mode: str = "reflect",
    seed: int = 0,
    rate: int = RATE,
    melody: bool = False,
) -> Any:
    """A random model of transformers: 10 frames of 32 samples in a second; of melodies, 20 pitch classes."""
    library = _library()
    books = 4 * channels
    text = library.T5Config(
        vocab_size=40, d_model=12, d_kv=4, d_ff=16, num_layers=1, num_heads=2, feed_forward_proj="relu"
    )
    codec = library.EncodecConfig(
        sampling_rate=rate,
        target_bandwidths=[4.5 * rate / HOP * 4 / 1000],
        hidden_size=8,
        num_filters=4,
        upsampling_ratios=[4, 2, 2, 2],
        codebook_size=16,
        use_causal_conv=False,
        use_conv_shortcut=False,
        pad_mode=pad_mode,
    )
    kind = "MusicgenMelody" if melody else "Musicgen"
    decoder = getattr(library, f"{kind}DecoderConfig")(
        vocab_size=16,
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        ffn_dim=32,
        num_codebooks=books,
        audio_channels=channels,
        pad_token_id=16,
        bos_token_id=16,
        max_position_embeddings=64,
    )
    heard = {"chroma_length": CHROMA_FRAMES} if melody else {}
    config = getattr(library, f"{kind}Config")(
        text_encoder=text, audio_encoder=codec, decoder=decoder, **heard
    )
    made = getattr(library, f"{kind}ForConditionalGeneration")(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if name.endswith("original0"):
                weight.copy_(0.8 + 0.1 * noise)
            elif "norm" in name and name.endswith("weight"):
                weight.copy_(1.5 + 0.3 * noise)
            elif name.endswith("bias"):
                weight.copy_(0.2 * noise)
            else:
                weight.copy_(2.0 * noise / weight[0].numel() ** 0.5)
        for layer in made.audio_encoder.quantizer.layers:
            layer.codebook.embed.copy_(torch.randn(layer.codebook.embed.shape, generator=generator))
    return made.requires_grad_(False)


def tokenizer() -> Any:
    """Letters as words."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    return _library().T5Tokenizer(
        vocab=pieces + [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz"], extra_ids=0
    )


def save(made: Any, folder: Path) -> Path:
    """Write a model in transformers' layout."""
    made.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    if made.config.model_type == "musicgen_melody":
        hears = {"n_fft": CHROMA_WINDOW, "hop_length": CHROMA_HOP, "num_chroma": 12, "sampling_rate": RATE}
        (folder / "preprocessor_config.json").write_text(json.dumps(hears))
    return folder


def save_audiocraft(made: Any, folder: Path, longest: float = 3.0) -> Path:
    """Write a model in audiocraft's layout, T5 in a folder beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = made.state_dict()
    cfg = LM_CFG.format(
        layers=made.config.decoder.num_hidden_layers,
        t5="tiny-t5",
        longest=longest,
        melody=MELODY_CFG.format() if "audio_enc_to_dec_proj.weight" in weights else "",
    )
    torch.save({"best_state": language(weights), "xp.cfg": cfg, "version": "1.3"}, folder / "state_dict.bin")
    codec_cfg = CODEC_CFG.format(pad_mode=made.config.audio_encoder.pad_mode)
    torch.save(
        {"best_state": codec(made.audio_encoder), "xp.cfg": codec_cfg},
        folder / "compression_state_dict.bin",
    )
    made.text_encoder.save_pretrained(folder / "tiny-t5")
    tokenizer().save_pretrained(folder / "tiny-t5")
    return folder


def language(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The language model as audiocraft keeps it, in half precision."""
    below = "decoder.model.decoder"
    books = sum(name.startswith("decoder.lm_heads.") for name in weights)
    melody = "audio_enc_to_dec_proj.weight" in weights
    told = {"description": "enc_to_dec_proj", **({"self_wav": "audio_enc_to_dec_proj"} if melody else {})}
    found = {
        f"condition_provider.conditioners.{ours}.output_proj.{part}": weights[f"{theirs}.{part}"]
        for ours, theirs in told.items()
        for part in ("weight", "bias")
    }
    if melody:
        found["condition_provider.conditioners.self_wav.chroma.spec.window"] = torch.hann_window(64)
    for k in range(books):
        found[f"emb.{k}.weight"] = weights[f"{below}.embed_tokens.{k}.weight"]
        found[f"linears.{k}.weight"] = weights[f"decoder.lm_heads.{k}.weight"]
    for part in ("weight", "bias"):
        found[f"out_norm.{part}"] = weights[f"{below}.layer_norm.{part}"]
    layer = 0
    while f"{below}.layers.{layer}.fc1.weight" in weights:
        theirs, ours = f"{below}.layers.{layer}", f"transformer.layers.{layer}"
        crossed = {} if melody else {"encoder_attn": "cross_attention"}
        for old, new in {"self_attn": "self_attn", **crossed}.items():
            found[f"{ours}.{new}.in_proj_weight"] = torch.cat(
                [weights[f"{theirs}.{old}.{third}_proj.weight"] for third in "qkv"]
            )
            found[f"{ours}.{new}.out_proj.weight"] = weights[f"{theirs}.{old}.out_proj.weight"]
        for old, new in (("fc1", "linear1"), ("fc2", "linear2")):
            found[f"{ours}.{new}.weight"] = weights[f"{theirs}.{old}.weight"]
        norms = {} if melody else {"encoder_attn_layer_norm": "norm_cross"}
        for old, new in {"self_attn_layer_norm": "norm1", "final_layer_norm": "norm2", **norms}.items():
            for part in ("weight", "bias"):
                found[f"{ours}.{new}.{part}"] = weights[f"{theirs}.{old}.{part}"]
        layer += 1
    return found


def codec(encodec: Any) -> dict[str, Tensor]:
    """EnCodec as audiocraft keeps it: names by walking through its layers, not by their spelling."""
    found: dict[str, Tensor] = {}
    for half in ("encoder", "decoder"):
        for number, layer in enumerate(getattr(encodec, half).layers):
            for path, part in layer.named_modules():
                place = ".".join(piece for piece in (half, "model", str(number), path) if piece)
                if isinstance(part, torch.nn.LSTM):
                    found.update({f"{place}.{name}": weight for name, weight in part.named_parameters()})
                elif isinstance(part, torch.nn.Conv1d | torch.nn.ConvTranspose1d):
                    kind = "convtr" if isinstance(part, torch.nn.ConvTranspose1d) else "conv"
                    place = place.removesuffix("conv") + f"{kind}.{kind}"
                    parts = part.parametrizations["weight"]
                    found[f"{place}.weight_g"], found[f"{place}.weight_v"] = parts.original0, parts.original1
                    found[f"{place}.bias"] = part.bias
    for number, layer in enumerate(encodec.quantizer.layers):
        for name, value in layer.codebook.named_buffers():
            found[f"quantizer.vq.layers.{number}._codebook.{name}"] = value
    return {name: tensor.detach() for name, tensor in found.items()}


def _library() -> Any:
    transformers: Any = pytest.importorskip("transformers")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers
