"""Writing, token by token: each step is a call of the bent model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.errors import GenerationError
from torchbend.interfaces.language.sampling import TextParams, drawn, weighed
from torchbend.interfaces.schedule import Schedule

__all__ = ["Generation", "context_of", "device_of", "ends_of"]

Call = Callable[[dict[str, Any]], Any]


def context_of(model: nn.Module) -> int | None:
    """How many tokens a model can read at once; None where its configuration sets no limit."""
    config: Any = getattr(model, "config", None)
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    longest = getattr(text, "max_position_embeddings", None) or getattr(text, "n_positions", None)
    return int(longest) if isinstance(longest, int) and longest > 0 else None


def ends_of(model: nn.Module, tokenizer: Any) -> list[int]:
    """The tokens at which a text ends."""
    for holder, name in (
        (getattr(model, "generation_config", None), "eos_token_id"),
        (getattr(model, "config", None), "eos_token_id"),
        (tokenizer, "eos_token_id"),
    ):
        found = getattr(holder, name, None)
        if found is not None:
            return [int(n) for n in (found if isinstance(found, list | tuple) else [found])]
    return []


def device_of(model: nn.Module) -> torch.device:
    """Where tokens go in: the device of the first weight that is not kept elsewhere."""
    real = (weight.device for weight in model.parameters() if weight.device.type != "meta")
    return next(real, torch.device("cpu"))


class Generation:
    """Some texts that are continued together.

    Args:
        call: calls the model with arguments by name.
        model: the model, asked for what it takes and how much.
        rows: the tokens of each text, one or more.
        params: how they are continued.
        ends: tokens at which a text ends.
        generator: of the random numbers; None: torch's own.
        schedule: controls that move, over the numbers of the new tokens.

    Attributes:
        written: the new tokens of each text so far.

    Raises:
        GenerationError: the model cannot read so much.
    """

    def __init__(
        self,
        call: Call,
        model: nn.Module,
        rows: Sequence[Sequence[int]],
        params: TextParams,
        ends: Sequence[int],
        generator: torch.Generator | None,
        schedule: Schedule,
    ) -> None:
        self._call, self.params, self._ends = call, params, set(ends)
        self._generator, self.schedule = generator, schedule
        self._known = set(signature(model.forward).parameters)
        self._check_length(max(map(len, rows)), context_of(model))
        device = device_of(model)
        fill = ends[0] if ends else 0
        width = max(map(len, rows))
        padded = [[fill] * (width - len(row)) + list(row) for row in rows]
        self.ids = torch.tensor(padded, dtype=torch.long, device=device)
        self.there = torch.tensor(
            [[0] * (width - len(row)) + [1] * len(row) for row in rows], dtype=torch.long, device=device
        )
        self._fill = fill
        self.written: list[list[int]] = [[] for _ in rows]
        self.ended = [False for _ in rows]

    def _check_length(self, longest: int, context: int | None) -> None:
        if context is None:
            return
        if longest >= context:
            raise GenerationError(
                "the prompt is longer than what the model can read",
                site="prompts",
                wanted=f"less than {context} tokens",
                got=f"{longest} tokens",
                next_step="give the end of it: model.text(model.tokens(prompt)[-100:])",
            )
        if longest + self.params.max_new_tokens > context:
            raise GenerationError(
                "the text would get longer than what the model can read",
                site="max_new_tokens",
                wanted=f"at most {context - longest}: {context} tokens, of which the prompt has {longest}",
                got=f"{self.params.max_new_tokens}",
            )

    def __len__(self) -> int:
        return self.params.max_new_tokens

    def __iter__(self) -> Iterator[int]:
        """Write; gives the number of each step when it is done. Stops when all texts have ended."""
        past: Any = None
        for step in range(len(self)):
            self.schedule.at(step)
            out = self._call(self._arguments(past, step))
            past = getattr(out, "past_key_values", None) if self.params.cache else None
            scores = out.logits[:, -1].float().to(self.ids.device)
            scores = weighed(scores, self.ids, self.there, self.params)
            self._write(drawn(scores, self.params, self._generator))
            yield step
            if all(self.ended):
                return

    def _arguments(self, past: Any, step: int) -> dict[str, Any]:
        positions = (self.there.cumsum(-1) - 1).clamp(min=0)
        new = 1 if past is not None and step else self.ids.shape[1]
        given = {
            "input_ids": self.ids[:, -new:],
            "attention_mask": self.there,
            "position_ids": positions[:, -new:],
            "use_cache": self.params.cache,
            "logits_to_keep": 1,
        }
        if past is not None:
            given["past_key_values"] = past
        return {name: value for name, value in given.items() if name in self._known}

    def _write(self, tokens: Tensor) -> None:
        chosen = tokens.tolist()
        for row, token in enumerate(chosen):
            if self.ended[row]:
                chosen[row] = self._fill
            elif token in self._ends:
                self.ended[row] = True
            else:
                self.written[row].append(token)
        column = torch.tensor(chosen, device=self.ids.device)[:, None]
        self.ids = torch.cat([self.ids, column], 1)
        self.there = torch.cat([self.there, torch.ones_like(column)], 1)
