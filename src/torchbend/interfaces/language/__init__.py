"""Causal language models of transformers, bent: GPT-2, Llama, Mistral, Qwen and their kin."""

from __future__ import annotations

from torchbend.interfaces.language.comparing import Comparison
from torchbend.interfaces.language.loading import Loaded
from torchbend.interfaces.language.model import BendedLanguageModel
from torchbend.interfaces.language.tiny import byte_tokenizer, tiny_language_model

__all__ = ["BendedLanguageModel", "Comparison", "Loaded", "byte_tokenizer", "tiny_language_model"]
