"""What a bent language model can do beside writing: tell what it thinks, and compare."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from torchbend.errors import GenerationError
from torchbend.interfaces.language.comparing import Comparison
from torchbend.interfaces.language.generation import device_of
from torchbend.interfaces.language.measuring import surprise
from torchbend.interfaces.language.sampling import TextParams
from torchbend.interfaces.language.texts import as_prompts
from torchbend.interfaces.language.writing import Curves, LanguageWriting

__all__ = ["Ids", "LanguageVerbs"]

Ids: TypeAlias = str | Sequence[int] | Tensor


class LanguageVerbs(LanguageWriting):
    """The verbs that look and compare; those that write are in `LanguageWriting`."""

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
            progress=None,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            use_sampling=use_sampling,
            stop=stop,
        )
        return made.write(out)

    # -- inside ----------------------------------------------------------------------------------------------

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
