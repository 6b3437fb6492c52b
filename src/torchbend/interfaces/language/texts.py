"""Texts to tokens and back, and what a user may give as a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import GenerationError

__all__ = ["Texts", "as_prompts", "ended_at"]


class Texts:
    """A tokenizer as this package uses it.

    Args:
        tokenizer: anything with ``encode(text)`` and ``decode(ids)``; None: only tokens can be given.
        vocabulary: how many tokens the model knows.
    """

    def __init__(self, tokenizer: Any, vocabulary: int | None) -> None:
        self.tokenizer, self.vocabulary = tokenizer, vocabulary

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text.

        Raises:
            GenerationError: it is no text, or there is no tokenizer.
        """
        if not isinstance(text, str):
            raise GenerationError(
                "tokens are made of a text", site="text", wanted="a text", got=repr(text)[:80]
            )
        found = self._there().encode(text)
        return [int(token) for token in getattr(found, "ids", found)]

    def text(self, ids: Sequence[int] | Tensor) -> str:
        """The text of tokens; marks such as the one for the end are left out.

        Raises:
            GenerationError: these are no tokens of this model, or there is no tokenizer.
        """
        return self._decoded(self.ids(ids))

    def continuation(self, prompt: Sequence[int], written: Sequence[int]) -> str:
        """The text that is added by new tokens: some tokenizers write a first token in another way."""
        before, whole = self._decoded(list(prompt)), self._decoded([*prompt, *written])
        return whole[len(before) :] if whole.startswith(before) else self._decoded(list(written))

    def ids(self, given: str | Sequence[int] | Tensor) -> list[int]:
        """The tokens of a text, or of a list or tensor of tokens.

        Raises:
            GenerationError: it is none of these, or empty.
        """
        if isinstance(given, str):
            found = self.tokens(given)
        elif isinstance(given, Tensor) and given.dim() <= 2 and not given.is_floating_point():
            found = given.reshape(-1).tolist() if given.dim() < 2 or len(given) == 1 else []
        elif isinstance(given, list | tuple) and all(type(token) is int for token in given):
            found = list(given)
        else:
            found = []
        known = self.vocabulary
        if not found or min(found) < 0 or (known is not None and max(found) >= known):
            raise GenerationError(
                "this is no text, and these are no tokens of this model",
                site="text",
                wanted="a text of at least one letter"
                + (f", or whole numbers from 0 to {known - 1}" if known else ""),
                got=repr(given)[:80],
            )
        return found

    def _decoded(self, ids: list[int]) -> str:
        tokenizer = self._there()
        options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        found: str = tokenizer.decode(ids, **(options if hasattr(tokenizer, "all_special_ids") else {}))
        return found

    def _there(self) -> Any:
        if self.tokenizer is None:
            raise GenerationError(
                "this model has no tokenizer: it takes tokens, not texts",
                site="tokenizer",
                next_step="BendedLanguageModel(model, tokenizer=...); or give tokens: generate_tokens(ids)",
            )
        return self.tokenizer


def as_prompts(prompts: object) -> list[str]:
    """A text, or several, as a list.

    Raises:
        GenerationError: it is neither, or a text is empty.
    """
    texts = [prompts] if isinstance(prompts, str) else prompts
    given = list(texts) if isinstance(texts, list | tuple) else []
    if not given or not all(isinstance(text, str) and text for text in given):
        empty = all(isinstance(text, str) for text in given) and isinstance(texts, list | tuple)
        raise GenerationError(
            "a prompt is empty" if empty else "a prompt is a text",
            site="prompts",
            wanted="a text of at least one letter, or a list of such texts",
            got=repr(prompts)[:80],
            next_step="generate('Once upon a time')",
        )
    return given


def ended_at(text: str, stops: Sequence[str]) -> int | None:
    """Where the first of the stopping texts begins; None where there is none."""
    found = [text.find(stop) for stop in stops if stop in text]
    return min(found) if found else None


def padded(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    """Tokens as one tensor ``[rows, longest]``, shorter ones filled up at their end."""
    width = max(map(len, rows), default=0)
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows], dtype=torch.long)
