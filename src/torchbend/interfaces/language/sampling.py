"""How the next token is chosen: the parameters, checked, and the draw itself."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import GenerationError, NonFiniteError

__all__ = ["OwnRandom", "TextParams", "drawn", "weighed"]


@dataclass(frozen=True)
class TextParams:
    """How a text is continued.

    Attributes:
        max_new_tokens: 1 or more; fewer are written where the text ends before.
        temperature: above 0; below 1 the likely gets likelier.
        top_k: draw among so many of the likeliest tokens; 0: among all.
        top_p: draw among the likeliest tokens that have this probability together, above 0; 1: among all.
        repetition_penalty: above 1, tokens that are there already get less likely; 1: off.
        use_sampling: False: always the likeliest token.
        stop: texts at which a text ends; they are not part of it.
        cache: keep keys and values of what was read; False: read everything anew for each token.

    Raises:
        GenerationError: one of them is out of range.
    """

    max_new_tokens: int = 40
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    use_sampling: bool = True
    stop: tuple[str, ...] = ()
    cache: bool = True

    def __post_init__(self) -> None:
        for name, least in (("max_new_tokens", 1), ("top_k", 0)):
            value = getattr(self, name)
            right = isinstance(value, int) and not isinstance(value, bool) and value >= least
            _check(name, value, right, f"a whole number, {least} or more")
        for name in ("temperature", "repetition_penalty"):
            _check(name, getattr(self, name), _number(getattr(self, name)), "a number above 0")
        _check("top_p", self.top_p, _number(self.top_p) and self.top_p <= 1, "a number above 0, at most 1")
        for name in ("use_sampling", "cache"):
            _check(name, getattr(self, name), isinstance(getattr(self, name), bool), "True or False")
        right = all(isinstance(text, str) and text for text in self.stop)
        _check("stop", self.stop, right, "a text, or a list of texts")

    @classmethod
    def of(cls, **given: Any) -> TextParams:
        """The parameters of these names.

        Raises:
            GenerationError: a name is unknown, or a value out of range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in given:
            if name not in known:
                raise GenerationError(
                    f"there is no parameter {name!r}", site=name, wanted=f"one of: {', '.join(known)}"
                )
        stop = given.get("stop", ())
        if stop is None or isinstance(stop, str):
            given["stop"] = (stop,) if stop else ()
        elif isinstance(stop, list | tuple):
            given["stop"] = tuple(stop)
        else:
            _check("stop", stop, False, "a text, or a list of texts")
        return cls(**given)


def _number(value: Any) -> bool:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and math.isfinite(value) and value > 0


def _check(name: str, value: Any, right: bool, wanted: str) -> None:
    if not right:
        raise GenerationError(
            f"{name} cannot be {value!r}",
            site=name,
            wanted=wanted,
            got=f"{value!r} ({type(value).__name__})",
        )


def weighed(scores: Tensor, so_far: Tensor, there: Tensor, params: TextParams) -> Tensor:
    """Scores after the parameters; what cannot be drawn has minus infinity.

    The order is that of transformers: repetitions, temperature, the likeliest few, the likeliest part.

    Args:
        scores: of each token, shape ``[B, vocabulary]``.
        so_far: the tokens of the texts, shape ``[B, T]``.
        there: 1 where there is one, 0 in places that are only filled up.
        params: the parameters.
    """
    if params.repetition_penalty != 1.0:
        penalty = params.repetition_penalty
        seen = torch.zeros_like(scores).scatter_add(1, so_far, there.to(scores.dtype)) > 0
        scores = torch.where(seen, torch.where(scores < 0, scores * penalty, scores / penalty), scores)
    if not params.use_sampling:
        return scores
    scores = scores / params.temperature
    if 0 < params.top_k < scores.shape[-1]:
        least = scores.topk(params.top_k, -1).values[..., -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if params.top_p < 1.0:
        ordered, places = scores.sort(-1)
        beyond = ordered.softmax(-1).cumsum(-1) <= 1.0 - params.top_p
        beyond[..., -1] = False  # the likeliest one always stays
        scores = scores.masked_fill(beyond.scatter(1, places, beyond), -torch.inf)
    return scores


def drawn(scores: Tensor, params: TextParams, generator: torch.Generator | None = None) -> Tensor:
    """One token for each row of weighed scores.

    Args:
        scores: shape ``[B, vocabulary]``.
        params: the parameters.
        generator: of the random numbers; by default torch's own.

    Returns:
        Shape ``[B]``.

    Raises:
        NonFiniteError: scores are no numbers: there is nothing to choose by.
    """
    if not torch.isfinite(scores.amax(-1)).all():
        raise NonFiniteError(
            "no token can be chosen: the model's scores are not finite",
            site="logits",
            wanted="finite values",
            got="NaN or infinity",
            next_step="bend less, or put a Clamp behind it; model.guard = 'raise' tells which bend it was",
        )
    if not params.use_sampling:
        return scores.argmax(-1)
    return torch.multinomial(scores.softmax(-1), 1, generator=generator)[:, 0]


class OwnRandom:
    """torch's random state as a seed leaves it, apart from everybody else's: for bends that draw.

    Args:
        seed: of the state.
        device: where the model is.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._devices = [device] if device.type == "cuda" else []
        places = [torch.device("cpu"), *self._devices]
        self._states = [torch.Generator(place).manual_seed(seed).get_state() for place in places]

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Within it, torch draws from this state; afterwards from its own again, which is kept."""
        with torch.random.fork_rng(devices=self._devices):
            torch.set_rng_state(self._states[0])
            for device, state in zip(self._devices, self._states[1:], strict=True):
                torch.cuda.set_rng_state(state, device)
            try:
                yield
            finally:
                own = [torch.cuda.get_rng_state(device) for device in self._devices]
                self._states = [torch.get_rng_state(), *own]
