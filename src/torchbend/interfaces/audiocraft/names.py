"""Names of weights: audiocraft's, transformers', and back. Tensors are split or joined, never changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

__all__ = [
    "codec_from_audiocraft",
    "codec_to_audiocraft",
    "language_from_transformers",
    "language_to_transformers",
]

Weights = Mapping[str, Tensor]

_DECODER = "decoder.model.decoder"
_PROJECTIONS = {"enc_to_dec_proj": "description", "audio_enc_to_dec_proj": "self_wav"}

# (transformers, audiocraft); {} stands for a number. The same table is read in both directions.
_CONDITIONERS = tuple(
    (f"{theirs}.{part}", f"condition_provider.conditioners.{ours}.output_proj.{part}")
    for theirs, ours in _PROJECTIONS.items()
    for part in ("weight", "bias")
)
_LANGUAGE = (
    (f"{_DECODER}.embed_tokens.{{}}.weight", "emb.{}.weight"),
    (f"{_DECODER}.layer_norm.weight", "out_norm.weight"),
    (f"{_DECODER}.layer_norm.bias", "out_norm.bias"),
    ("decoder.lm_heads.{}.weight", "linears.{}.weight"),
)
_LAYER = (
    ("self_attn.out_proj.weight", "self_attn.out_proj.weight"),
    ("encoder_attn.out_proj.weight", "cross_attention.out_proj.weight"),
    ("fc1.weight", "linear1.weight"),
    ("fc2.weight", "linear2.weight"),
    ("self_attn_layer_norm.weight", "norm1.weight"),
    ("self_attn_layer_norm.bias", "norm1.bias"),
    ("encoder_attn_layer_norm.weight", "norm_cross.weight"),
    ("encoder_attn_layer_norm.bias", "norm_cross.bias"),
    ("final_layer_norm.weight", "norm2.weight"),
    ("final_layer_norm.bias", "norm2.bias"),
)
_PAIRS = (*_CONDITIONERS, *_LANGUAGE) + tuple(
    (f"{_DECODER}.layers.{{}}.{theirs}", f"transformer.layers.{{}}.{ours}") for theirs, ours in _LAYER
)
_JOINED = {"self_attn": "self_attn", "encoder_attn": "cross_attention"}
_THIRDS = ("q_proj", "k_proj", "v_proj")


def language_from_transformers(weights: Weights) -> dict[str, Tensor]:
    """The language model's weights under audiocraft's names; what belongs to other parts is left out.

    Args:
        weights: of transformers' ``MusicgenForConditionalGeneration``, or of its melody model.

    Returns:
        Without the prefix ``lm.``. Queries, keys and values are one weight, as in audiocraft.
    """
    found = _translated(weights, [(theirs, ours) for theirs, ours in _PAIRS])
    for theirs, ours in _JOINED.items():
        pattern = re.compile(rf"{re.escape(_DECODER)}\.layers\.(\d+)\.{theirs}\.q_proj\.weight")
        for name in weights:
            layer = pattern.fullmatch(name)
            thirds = [name.replace("q_proj", third) for third in _THIRDS]
            if layer and all(third in weights for third in thirds):
                joined = torch.cat([weights[third] for third in thirds])
                found[f"transformer.layers.{layer[1]}.{ours}.in_proj_weight"] = joined
    return found


def language_to_transformers(weights: Weights) -> dict[str, Tensor]:
    """The language model's weights under transformers' names.

    Args:
        weights: under audiocraft's, without the prefix ``lm.``.
    """
    found = _translated(weights, [(ours, theirs) for theirs, ours in _PAIRS])
    for theirs, ours in _JOINED.items():
        pattern = re.compile(rf"transformer\.layers\.(\d+)\.{ours}\.in_proj_weight")
        for name, tensor in weights.items():
            layer = pattern.fullmatch(name)
            if layer:
                for third, part in zip(_THIRDS, tensor.chunk(3), strict=True):
                    found[f"{_DECODER}.layers.{layer[1]}.{theirs}.{third}.weight"] = part
    return found


def _translated(weights: Weights, pairs: Iterable[tuple[str, str]]) -> dict[str, Tensor]:
    rules = [(re.compile(re.escape(old).replace(r"\{\}", r"(\d+)")), new) for old, new in pairs]
    found = {}
    for name, tensor in weights.items():
        for rule, new in rules:
            match = rule.fullmatch(name)
            if match:
                found[new.format(*match.groups())] = tensor
    return found


# -- the codec ----------------------------------------------------------------------------------------------

_FROM_AUDIOCRAFT = (
    (r"^(encoder|decoder)\.model\.", r"\1.layers."),
    (r"\.(conv|convtr)\.\1\.weight_g$", ".conv.parametrizations.weight.original0"),
    (r"\.(conv|convtr)\.\1\.weight_v$", ".conv.parametrizations.weight.original1"),
    (r"\.(conv|convtr)\.\1\.", ".conv."),
    (r"^quantizer\.vq\.layers\.(\d+)\._codebook\.", r"quantizer.layers.\1.codebook."),
)


def codec_from_audiocraft(weights: Weights) -> dict[str, Tensor]:
    """The codec's weights under transformers' names.

    Args:
        weights: under audiocraft's, without the prefix ``compression_model.``. The old names of the parts of
            a normalised weight (``weight_g``, ``weight_v``) are taken from transformers' files too.
    """
    found = {}
    for name, tensor in weights.items():
        for pattern, new in _FROM_AUDIOCRAFT:
            name = re.sub(pattern, new, name)
        name = name.removesuffix("weight_g") + "parametrizations.weight.original0" * name.endswith("weight_g")
        name = name.removesuffix("weight_v") + "parametrizations.weight.original1" * name.endswith("weight_v")
        found[name] = tensor
    return found


def codec_to_audiocraft(weights: Weights) -> dict[str, Tensor]:
    """The codec's weights under audiocraft's names, without a prefix.

    Args:
        weights: of transformers' ``EncodecModel``.
    """
    transposed = _transposed(weights)
    found = {}
    for name, tensor in weights.items():
        kind = "convtr" if name.partition(".conv.")[0] in transposed else "conv"
        name = re.sub(r"^(encoder|decoder)\.layers\.", r"\1.model.", name)
        name = re.sub(r"^quantizer\.layers\.(\d+)\.codebook\.", r"quantizer.vq.layers.\1._codebook.", name)
        name = name.replace(".conv.parametrizations.weight.original0", f".{kind}.{kind}.weight_g")
        name = name.replace(".conv.parametrizations.weight.original1", f".{kind}.{kind}.weight_v")
        found[re.sub(r"\.conv\.(bias|weight)$", rf".{kind}.{kind}.\1", name)] = tensor
    return found


def _transposed(weights: Weights) -> set[str]:
    """Paths of the decoder's transposed convolutions: all in its own list but the first and the last."""
    own = [re.fullmatch(r"decoder\.layers\.(\d+)\.conv\.bias", name) for name in weights]
    numbers = sorted(int(match[1]) for match in own if match)
    return {f"decoder.layers.{number}" for number in numbers[1:-1]}
