"""How the next codes are chosen: the parameters of generation, checked, and the draw itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import GenerationError

__all__ = ["GenerationParams", "as_seed", "checked", "drawn", "guided"]

_LONGEST_S = 1_000_000


@dataclass(frozen=True)
class GenerationParams:
    """What ``set_generation_params`` sets.

    Attributes:
        duration: in seconds, above 0, at most a million.
        top_k: draw among so many of the likeliest codes; 0: among all.
        top_p: draw among the likeliest codes that have this probability together, 0 to 1; 0: off.
        temperature: above 0; below 1 the likely gets likelier.
        cfg_coef: how much the prompt counts; 1: no guidance, 3 is usual.
        use_sampling: False: always the likeliest code.
        two_step_cfg: with and without prompt one after the other, not side by side: less memory, more time.
        extend_stride: seconds that each further window of a long generation adds.

    Raises:
        GenerationError: one of them is out of range.
    """

    duration: float = 30.0
    top_k: int = 250
    top_p: float = 0.0
    temperature: float = 1.0
    cfg_coef: float = 3.0
    use_sampling: bool = True
    two_step_cfg: bool = False
    extend_stride: float = 18.0

    def __post_init__(self) -> None:
        checked(
            "duration",
            self.duration,
            f"seconds, above 0, at most {_LONGEST_S:,}",
            lambda v: 0 < v <= _LONGEST_S,
        )
        checked("top_k", self.top_k, "a whole number, 0 or more", lambda v: v >= 0 and v == int(v))
        checked("top_p", self.top_p, "a number from 0 to 1", lambda v: 0 <= v <= 1)
        checked("temperature", self.temperature, "a number above 0", lambda v: v > 0)
        checked("cfg_coef", self.cfg_coef, "a number", lambda v: True)
        checked("extend_stride", self.extend_stride, "seconds, above 0", lambda v: v > 0)
        for name in ("use_sampling", "two_step_cfg"):
            if not isinstance(getattr(self, name), bool):
                raise _wrong(name, getattr(self, name), "True or False")


def checked(name: str, value: Any, wanted: str, right: Callable[[Any], bool]) -> None:
    """Refuse what is no finite number, or not the right one.

    Raises:
        GenerationError: naming the argument, and what is wanted.
    """
    number = not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
    if not number or not right(value):
        raise _wrong(name, value, wanted)


def _wrong(name: str, value: object, wanted: str) -> GenerationError:
    return GenerationError(
        f"{name} cannot be {value!r}",
        site=name,
        wanted=wanted,
        got=f"{value!r} ({type(value).__name__})",
        next_step=f"give such a value: {name}=...",
    )


def as_seed(seed: Any) -> int:
    """A seed of random numbers, of any whole number.

    Raises:
        GenerationError: it is none.
    """
    checked("seed", seed, "a whole number", lambda number: number == int(number))
    return int(seed) % 2**63


def guided(scores: Tensor, rows: int, coefficient: float) -> Tensor:
    """Classifier-free guidance: away from the scores without prompt, towards those with it.

    Args:
        scores: shape ``[2 * rows, ...]``, those with prompt first; or ``[rows, ...]``, which stay.
        coefficient: 1 gives the scores with prompt.
    """
    if len(scores) == rows:
        return scores
    with_prompt, without = scores[:rows], scores[rows:]
    return without + (with_prompt - without) * coefficient


def drawn(scores: Tensor, params: GenerationParams, generator: torch.Generator | None = None) -> Tensor:
    """One code of each row of scores.

    Args:
        scores: shape ``[..., codes]``.
        generator: of the random numbers; by default torch's own.

    Returns:
        Shape ``[...]``.
    """
    if not params.use_sampling:
        return scores.argmax(-1)
    likely = torch.softmax(scores.float() / params.temperature, -1)
    if params.top_p > 0:
        ordered, places = likely.sort(-1, descending=True)
        beyond = ordered.cumsum(-1) - ordered > params.top_p
        chosen = _draw(ordered.masked_fill(beyond, 0.0), generator)
        return places.gather(-1, chosen[..., None])[..., 0]
    if 0 < params.top_k < likely.shape[-1]:
        least = likely.topk(params.top_k, -1).values[..., -1:]
        likely = likely.masked_fill(likely < least, 0.0)
    return _draw(likely, generator)


def _draw(weights: Tensor, generator: torch.Generator | None) -> Tensor:
    flat = weights.reshape(-1, weights.shape[-1])
    return torch.multinomial(flat, 1, generator=generator).reshape(weights.shape[:-1])
