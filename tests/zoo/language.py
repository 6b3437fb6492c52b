"""Language models of transformers: decoders, encoders, both, a mixture of experts, a state space."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .definition import Entry
from .make import by_length, entries, from_transformers, tokens

FAMILY = "language"

#: sizes that most configurations name alike
SMALL: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = {**SMALL, "num_key_value_heads": 1}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def _decoder(name: str, stem: str, **settings: Any) -> Entry:
    """A causal language model: `<stem>ForCausalLM` (GPT-2 has a name of its own) and `<stem>Config`."""
    model = f"{stem}LMHeadModel" if stem == "GPT2" else f"{stem}ForCausalLM"
    build = from_transformers(model, f"{stem}Config", **settings)
    return Entry(name, FAMILY, build, **by_length("input_ids", 8, 11))


def _encoder(name: str, stem: str, **settings: Any) -> Entry:
    """A masked language model whose classes are called `<stem>ForMaskedLM` and `<stem>Config`."""
    build = from_transformers(f"{stem}ForMaskedLM", f"{stem}Config", **settings)
    return Entry(name, FAMILY, build, **by_length("input_ids", 8, 11))


GPT2: dict[str, Any] = {
    "vocab_size": 64,
    "n_positions": 32,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    **SPECIAL,
}


def _continued(length: int) -> dict[str, Any]:
    """Inputs of `generate`: three more tokens, and the scores that they had."""
    settings = {
        "max_new_tokens": 3,
        "do_sample": False,
        "output_scores": True,
        "return_dict_in_generate": True,
    }
    return {
        "input_ids": tokens(2, length),
        "attention_mask": torch.ones(2, length, dtype=torch.long),
        **settings,
    }


def _pair(source: int, target: int) -> dict[str, Tensor]:
    """Inputs of an encoder-decoder."""
    return {"input_ids": tokens(2, source, seed=1), "decoder_input_ids": tokens(2, target, seed=2)}


DECODERS = entries(
    FAMILY,
    _decoder("gpt2", "GPT2", **GPT2),
    Entry(
        "gpt2_generate",
        FAMILY,
        from_transformers("GPT2LMHeadModel", "GPT2Config", **GPT2),
        lambda: _continued(4),
        lambda: _continued(6),
        method="generate",
    ),
    _decoder("llama", "Llama", **GROUPED),
    _decoder("mistral", "Mistral", sliding_window=4, **GROUPED),
    _decoder("qwen2", "Qwen2", **GROUPED),
    _decoder("gemma", "Gemma", head_dim=8, **GROUPED),
    _decoder("mixtral", "Mixtral", num_local_experts=4, num_experts_per_tok=2, **GROUPED),
    _decoder("phi", "Phi", **SMALL),
    _decoder(
        "opt",
        "OPT",
        vocab_size=64,
        hidden_size=16,
        num_hidden_layers=2,
        ffn_dim=32,
        num_attention_heads=2,
        max_position_embeddings=64,
        word_embed_proj_dim=16,
        **SPECIAL,
    ),
    _decoder("bloom", "Bloom", vocab_size=64, hidden_size=16, n_layer=2, n_head=2, **SPECIAL),
    _decoder("gpt_neox", "GPTNeoX", **SMALL),
    _decoder("mamba", "Mamba", vocab_size=64, hidden_size=16, num_hidden_layers=2, state_size=4, **SPECIAL),
)

ENCODERS = entries(
    FAMILY,
    _encoder("bert", "Bert", **SMALL),
    _encoder("roberta", "Roberta", **SMALL),
    _encoder(
        "distilbert",
        "DistilBert",
        vocab_size=64,
        dim=16,
        n_layers=2,
        n_heads=2,
        hidden_dim=32,
        pad_token_id=0,
    ),
    _encoder("albert", "Albert", embedding_size=8, **SMALL),
    _encoder("electra", "Electra", embedding_size=8, **SMALL),
    Entry(
        "perceiver",
        FAMILY,
        from_transformers(
            "PerceiverForMaskedLM",
            "PerceiverConfig",
            num_latents=8,
            d_latents=16,
            d_model=16,
            num_blocks=1,
            num_self_attends_per_block=2,
            num_self_attention_heads=2,
            num_cross_attention_heads=2,
            qk_channels=16,
            v_channels=16,
            vocab_size=64,
            max_position_embeddings=16,
        ),
        lambda: {"inputs": tokens(2, 16, seed=1)},
        lambda: {"inputs": tokens(3, 12, seed=2)},
    ),
)

ENCODER_DECODERS = entries(
    FAMILY,
    Entry(
        "t5",
        FAMILY,
        from_transformers(
            "T5ForConditionalGeneration",
            "T5Config",
            vocab_size=64,
            d_model=16,
            d_kv=8,
            d_ff=32,
            num_layers=2,
            num_heads=2,
            relative_attention_num_buckets=8,
            decoder_start_token_id=0,
        ),
        lambda: _pair(8, 5),
        lambda: _pair(11, 7),
    ),
    Entry(
        "bart",
        FAMILY,
        from_transformers(
            "BartForConditionalGeneration",
            "BartConfig",
            vocab_size=64,
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            max_position_embeddings=32,
            decoder_start_token_id=2,
            forced_eos_token_id=None,
            **SPECIAL,
        ),
        lambda: _pair(8, 5),
        lambda: _pair(11, 7),
    ),
)

LANGUAGE = [*DECODERS, *ENCODERS, *ENCODER_DECODERS]
