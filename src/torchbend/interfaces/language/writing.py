"""Writing: the verbs that go on from a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeAlias

import torch
from torch import Tensor

from torchbend.display.progress import tracked
from torchbend.errors import GenerationError
from torchbend.interfaces.language.generation import Generation, device_of, ends_of
from torchbend.interfaces.language.interface import LanguageInterface
from torchbend.interfaces.language.sampling import OwnRandom, TextParams
from torchbend.interfaces.language.texts import as_prompts, ended_at, padded
from torchbend.interfaces.schedule import Schedule

__all__ = ["Curves", "LanguageWriting"]

Curves: TypeAlias = Mapping[Any, Any]


class LanguageWriting(LanguageInterface):
    """The verbs that write; the others are in `verbs`."""

    def generate(
        self,
        prompts: str | Sequence[str],
        max_new_tokens: int = 40,
        *,
        temperature: float = 1.0,
        top_k: int = 50,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        use_sampling: bool = True,
        stop: str | Sequence[str] | None = None,
        cache: bool = True,
        seed: int | None = None,
        progress: bool | None = False,
        schedule: Curves | None = None,
    ) -> Any:
        """Go on from a text, or from each of several.

        Args:
            prompts: one text or a list; each is read as if it were alone.
            max_new_tokens: at most so many new tokens.
            temperature: above 0; below 1 the likely gets likelier.
            top_k: draw among so many of the likeliest tokens; 0: among all.
            top_p: draw among the likeliest tokens that have this probability together, above 0; 1: among all.
            repetition_penalty: above 1, tokens that are there already get less likely.
            use_sampling: False: always the likeliest token.
            stop: a text, or several, at which the new text ends; it is not part of it.
            cache: keep keys and values of what was read; False reads everything anew for each token.
            seed: of the random numbers: the same seed gives the same text; by default torch's own state.
            progress: True shows a bar; None only on a terminal, when it takes long.
            schedule: for controls, by name, a curve over the new tokens: points ``[(token, value), ...]`` or
                a function. The controls are afterwards what they were.

        Returns:
            What is new, without the prompt: a text for a text, a list for a list.

        Raises:
            GenerationError: a prompt is empty, no text, or too long; a parameter is out of range.
            ControlError: the schedule names an unknown control, or a value out of its range.
            NonFiniteError: a bend made scores that are no numbers.
        """
        texts = as_prompts(prompts)
        chosen = TextParams.of(
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            use_sampling=use_sampling,
            stop=stop,
            cache=cache,
        )
        made = self._continued(texts, chosen, seed, progress, schedule)
        return made[0] if isinstance(prompts, str) else made

    def stream(
        self,
        prompt: str,
        max_new_tokens: int = 40,
        *,
        seed: int | None = None,
        schedule: Curves | None = None,
        **params: Any,
    ) -> Iterator[str]:
        """Go on from a text, in pieces, while it is written; put together they are what `generate` gives.

        Args:
            prompt: one text.
            max_new_tokens, seed, schedule, params: as of `generate`.

        Yields:
            New text, some letters at a time.
        """
        if not isinstance(prompt, str):
            raise GenerationError(
                "a stream goes on from one text", site="prompt", wanted="a text", got=repr(prompt)[:80]
            )
        chosen = TextParams.of(max_new_tokens=max_new_tokens, **params)
        generation = self._generation(self._rows(as_prompts(prompt)), chosen, seed, schedule)
        return self._pieces(generation, self._texts.tokens(prompt))

    def generate_tokens(
        self,
        ids: Tensor | Sequence[int],
        max_new_tokens: int = 40,
        *,
        seed: int | None = None,
        schedule: Curves | None = None,
        **params: Any,
    ) -> Tensor:
        """Go on from tokens; needs no tokenizer.

        Args:
            ids: shape ``[T]`` or ``[B, T]``, or a list of numbers.
            max_new_tokens, seed, schedule, params: as of `generate`; no ``stop``.

        Returns:
            The new tokens, ``[B, n]`` on the CPU; a row that ended before is filled up with the end's token.
        """
        chosen = TextParams.of(max_new_tokens=max_new_tokens, **params)
        several = isinstance(ids, Tensor) and ids.dim() == 2 and len(ids) > 0
        rows = [self._texts.ids(row) for row in (ids if several else [ids])]  # type: ignore[arg-type]
        generation = self._generation(rows, chosen, seed, schedule)
        with generation.schedule.playing():
            for _ in generation:
                pass
        return padded(generation.written, next(iter(self._ends), 0))

    # -- inside ----------------------------------------------------------------------------------------------

    @property
    def _ends(self) -> list[int]:
        return ends_of(self.module, self._texts.tokenizer)

    def _rows(self, prompts: Sequence[str]) -> list[list[int]]:
        return [self._texts.ids(prompt) for prompt in prompts]

    def _generation(
        self,
        rows: list[list[int]],
        params: TextParams,
        seed: int | None,
        schedule: Curves | None,
        bent: bool = True,
    ) -> Generation:
        device = device_of(self.module)
        generator = None if seed is None else torch.Generator(device).manual_seed(seed)
        curves = Schedule(schedule, self.controllables)
        own = None if seed is None else OwnRandom(seed, device)

        def call(given: dict[str, Any]) -> Any:
            with self._engine.lock, nullcontext() if own is None else own.in_force():
                return self._run(given, bent=bent)

        return Generation(
            call,
            self.module,
            rows,
            params,
            self._ends,
            generator,
            curves,
        )

    def _continued(
        self,
        prompts: list[str],
        params: TextParams,
        seed: int | None,
        progress: bool | None,
        schedule: Curves | None,
        bent: bool = True,
    ) -> list[str]:
        rows = self._rows(prompts)
        generation = self._generation(rows, params, seed, schedule, bent)
        made = [""] * len(rows)
        with generation.schedule.playing():
            for _ in tracked(generation, "writing", progress):
                if params.stop:
                    for row, prompt in enumerate(rows):
                        text = self._texts.continuation(prompt, generation.written[row])
                        if ended_at(text, params.stop) is not None:
                            generation.ended[row] = True
        for row, prompt in enumerate(rows):
            text = self._texts.continuation(prompt, generation.written[row])
            made[row] = text[: ended_at(text, params.stop)]
        return made

    def _pieces(self, generation: Generation, prompt: list[int]) -> Iterator[str]:
        given, stops = 0, generation.params.stop
        held = max((len(stop) - 1 for stop in stops), default=0)
        text = ""
        with generation.schedule.playing():
            for _ in generation:
                text = self._texts.continuation(prompt, generation.written[0])
                end = ended_at(text, stops)
                if end is not None:
                    text, held = text[:end], 0
                    break
                # a letter of several tokens is not whole yet, and what may be the beginning of a stop is held
                ready = len(text.rstrip("\N{REPLACEMENT CHARACTER}")) - held
                if ready > given:
                    yield text[given:ready]
                    given = ready
        if len(text) > given:
            yield text[given:]
