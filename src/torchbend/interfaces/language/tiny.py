"""Tiny models of random weights through the real classes: to try out what can be done, without a download."""

from __future__ import annotations

from typing import Any

import torch

from torchbend.errors import CheckpointError
from torchbend.interfaces.language.loading import Loaded
from torchbend.interfaces.libraries import transformers

__all__ = ["byte_tokenizer", "tiny_language_model"]

_KINDS = ("gpt2", "llama", "mistral", "qwen2", "gpt_neox")
_END = "<|endoftext|>"


def byte_tokenizer() -> Any:
    """A tokenizer of transformers that reads bytes: 256 tokens and one for the end.

    Raises:
        MissingExtraError: transformers is not installed.
    """
    library = transformers("a language model")
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {letter: number for number, letter in enumerate([*letters, _END])}
    core = tokenizers.Tokenizer(models.BPE(vocab=words, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return library.PreTrainedTokenizerFast(tokenizer_object=core, eos_token=_END)


def tiny_language_model(kind: str = "gpt2", seed: int = 0, layers: int = 4) -> Loaded:
    """A model with some ten thousand random weights, which reads bytes.

    ``BendedLanguageModel(tiny_language_model())`` writes noise.

    Args:
        kind: ``"gpt2"``, ``"llama"``, ``"mistral"``, ``"qwen2"`` or ``"gpt_neox"``.
        seed: of its weights.
        layers: how many.

    Raises:
        CheckpointError: another kind.
        MissingExtraError: transformers is not installed.
    """
    if kind not in _KINDS:
        raise CheckpointError(
            f"there is no tiny model of the kind {kind!r}", site="kind", wanted=f"one of: {', '.join(_KINDS)}"
        )
    library = transformers("a language model")
    tokenizer = byte_tokenizer()
    end = len(tokenizer) - 1
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "max_position_embeddings": 128,
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
    }
    if kind != "gpt2":
        sizes |= {"intermediate_size": 64}
    if kind in ("llama", "mistral", "qwen2"):
        sizes |= {"num_key_value_heads": 2}
    config = library.AutoConfig.for_model(kind, **sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = library.AutoModelForCausalLM.from_config(config)
        for weight in model.parameters():
            if weight.dim() > 1:  # larger than they are set up: what a tiny model attends to then counts
                torch.nn.init.normal_(weight, std=0.2)
    return Loaded(model.eval(), tokenizer, f"tiny {kind}")
