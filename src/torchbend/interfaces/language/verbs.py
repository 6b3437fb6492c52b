"""What a bent language model can do: write, and tell what it thinks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from torchbend.display.progress import tracked
from torchbend.errors import GenerationError
from torchbend.interfaces.language.comparing import Comparison
from torchbend.interfaces.language.generation import Generation, device_of, ends_of
from torchbend.interfaces.language.interface import LanguageInterface
from torchbend.interfaces.language.measuring import surprise
from torchbend.interfaces.language.sampling import TextParams
from torchbend.interfaces.language.texts import as_prompts, ended_at, padded
from torchbend.interfaces.schedule import Schedule

__all__ = ["Ids", "LanguageVerbs"]

Curves: TypeAlias = Mapping[Any, Any]
Ids: TypeAlias = str | Sequence[int] | Tensor


class LanguageVerbs(LanguageInterface):
    """The verbs; everything else is in `LanguageInterface`."""

    # -- writing ---------------------------------------------------------------------------------------------

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
        several = isinstance(ids, Tensor) and ids.dim() == 2
        rows = [self._texts.ids(row) for row in (ids if several else [ids])]  # type: ignore[arg-type]
        generation = self._generation(rows, chosen, seed, schedule)
        with generation.schedule.playing():
            for _ in generation:
                pass
        return padded(generation.written, next(iter(self._ends), 0))

    # -- tokens ----------------------------------------------------------------------------------------------

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text, as numbers."""
        return self._texts.tokens(text)

    def text(self, ids: Sequence[int] | Tensor) -> str:
        """The text of tokens."""
        return self._texts.text(ids)

    # -- looking ---------------------------------------------------------------------------------------------

    def logits(self, text: Ids) -> Tensor:
        """The scores of each token of the vocabulary after each token of a text.

        Args:
            text: a text, or its tokens.

        Returns:
            Shape ``[T, vocabulary]``, float32, on the CPU.
        """
        return self._scores(torch.tensor([self._within(text)]), bent=True)[0]

    def perplexity(self, text: Ids) -> float:
        """How surprised the bent model is by a text: 1 is not at all, the size of the vocabulary is clueless.

        Args:
            text: two tokens or more; a long text is read in overlapping pieces.
        """
        ids = self._texts.ids(text)
        if len(ids) < 2:
            raise GenerationError(
                "a surprise needs something before it",
                site="text",
                wanted="two tokens or more",
                got=f"{len(ids)}",
            )
        return surprise(lambda rows: self._scores(rows, bent=True), ids, self.context)

    def inside(self, text: Ids, *names: str) -> dict[str, Tensor]:
        """What places of the model give while it reads a text.

        Args:
            text: a text, or its tokens.
            names: readable names or patterns of them, of activations.

        Returns:
            For each place a tensor on the CPU, the tokens first: ``[T, channels]``, ``[T, heads, channels]``.

        Raises:
            SiteNotFoundError: there is no such place.
        """
        sites = self._chosen_activations(names)
        ids = torch.tensor([self._within(text)], device=device_of(self.module))
        with torch.no_grad():
            found = self.get_activations(*[site.pattern.partition(":")[2] for site in sites], input_ids=ids)
        made = {}
        for site in sites:
            value = found[site.site].float().cpu()
            value = value.reshape(ids.shape[1], -1) if value.dim() < 3 else value[0]
            made[site.name] = value if site.part is None else value[..., list(site.part), :]
        return made

    def attention(self, text: Ids) -> Tensor:
        """Which token listens to which, in each layer and head; needs ``attention="explicit"``.

        Args:
            text: a text, or its tokens.

        Returns:
            Shape ``[layers, heads, T, T]``, on the CPU; each row of the last dimension adds up to 1.

        Raises:
            GenerationError: the model was loaded with fused attention, which makes no such map.
        """
        maps = [name for name in self.names if name.endswith(".attention.map")]
        if not maps:
            raise GenerationError(
                "fused attention makes no map of who listens to whom",
                site="attention",
                wanted='attention="explicit"',
                next_step='load it again: BendedLanguageModel(..., attention="explicit")',
            )
        return torch.stack(list(self.inside(text, *maps).values()))

    # -- bent and unbent -------------------------------------------------------------------------------------

    def compare(
        self,
        prompts: str | Sequence[str],
        max_new_tokens: int = 40,
        *,
        seed: int = 0,
        width: int = 36,
        progress: bool | None = False,
        schedule: Curves | None = None,
        **params: Any,
    ) -> Comparison:
        """What the model writes bent and unbent, with the same random numbers, side by side.

        Args:
            prompts, max_new_tokens, seed, progress, schedule, params: as of `generate`.
            width: letters in a line of a column.

        Returns:
            A table that prints, shows in a notebook, and writes itself to a file.
        """
        texts = as_prompts(prompts)
        chosen = TextParams.of(max_new_tokens=max_new_tokens, **params)
        unbent = self._continued(texts, chosen, seed, progress, None, bent=False)
        bent = self._continued(texts, chosen, seed, progress, schedule)
        return Comparison(texts, unbent, bent, self.bended_keys(), width)

    def render(  # type: ignore[override]
        self,
        out: str | os.PathLike[str],
        inputs: Sequence[str] = (),
        *,
        seed: int = 0,
        max_new_tokens: int = 40,
        temperature: float = 1.0,
        top_k: int = 50,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        use_sampling: bool = True,
        stop: str | Sequence[str] | None = None,
        width: int = 36,
    ) -> Path:
        """Go on from prompts, bent and unbent, and write the texts side by side to a file.

        Args:
            out: a ``.txt``, ``.md`` or ``.json`` file; it appears whole or not at all.
            inputs: the prompts.
            seed: of the random numbers.
            max_new_tokens: at most so many new tokens.
            temperature: above 0; below 1 the likely gets likelier.
            top_k: draw among so many of the likeliest tokens; 0: among all.
            top_p: draw among the likeliest tokens that have this probability together, above 0; 1: among all.
            repetition_penalty: above 1, tokens that are there already get less likely.
            use_sampling: False: always the likeliest token.
            stop: a text, or several, at which the new text ends.
            width: letters in a line of a column of a ``.txt`` file.

        Returns:
            The file.
        """
        if Path(out).suffix.lower() not in self.writes:
            Comparison([], [], [], []).write(out)  # tells what is wrong before the work
        made = self.compare(
            list(inputs),
            max_new_tokens,
            seed=seed,
            width=width,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            use_sampling=use_sampling,
            stop=stop,
        )
        return made.write(out)

    # -- inside ----------------------------------------------------------------------------------------------

    @property
    def _ends(self) -> list[int]:
        return ends_of(self.module, self._texts.tokenizer)

    def _rows(self, prompts: Sequence[str]) -> list[list[int]]:
        return [self._texts.ids(prompt) for prompt in prompts]

    def _within(self, text: Ids) -> list[int]:
        ids = self._texts.ids(text)
        if self.context is not None and len(ids) > self.context:
            raise GenerationError(
                "the text is longer than what the model can read",
                site="text",
                wanted=f"at most {self.context} tokens",
                got=f"{len(ids)} tokens",
            )
        return ids

    def _scores(self, ids: Tensor, *, bent: bool) -> Tensor:
        given = {"input_ids": ids.to(device_of(self.module)), "use_cache": False}
        scores: Tensor = self._run(given, bent=bent).logits
        return scores.float().cpu()

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
        return Generation(
            lambda given: self._run(given, bent=bent),
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
