"""Which codes are written when: the delays of the codebooks, and the windows of a long generation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Delayed", "Span", "Window"]


class Window(NamedTuple):
    """A stretch that is written at once.

    Attributes:
        begin: its first frame, in the whole.
        frames: its length.
        known: frames at its beginning that are there already: the prompt, or the end of the window before.
    """

    begin: int
    frames: int
    known: int


@dataclass(frozen=True)
class Span:
    """A generation as a whole.

    Attributes:
        total: its frames.
        known: frames of the prompt, less than ``total`` and ``longest``.
        longest: frames that the model was trained to hear at once.
        stride: frames that each further window begins later, less than ``longest``.
    """

    total: int
    known: int
    longest: int
    stride: int

    @property
    def count(self) -> int:
        """How many windows there are."""
        return 1 + max(0, -((self.longest - self.total) // self.stride))

    def windows(self) -> Iterator[Window]:
        """The windows: one, or overlapping ones where it is longer than the model can hear.

        >>> list(Span(10, 0, 6, 4).windows())
        [Window(begin=0, frames=6, known=0), Window(begin=4, frames=6, known=2)]
        """
        begin, known = 0, self.known
        while begin + known < self.total:
            frames = min(self.total - begin, self.longest)
            yield Window(begin, frames, known)
            begin, known = begin + self.stride, frames - self.stride


class Delayed:
    """The sequence of steps in which a window's codes are written.

    Codebook ``k`` of frame ``t`` is written in step ``1 + t + delays[k]``: later codebooks hear what earlier
    ones said of the same frame. Step 0 and all places without a code hold the code that stands for "none".

    Args:
        prompt: codes that are there already, shape ``[B, codebooks, known]``.
        frames: of the window.
        delays: of each codebook.
        none: the code for "none".
    """

    def __init__(self, prompt: Tensor, frames: int, delays: Sequence[int], none: int) -> None:
        rows, books, self.known = prompt.shape
        self.frames, self.last = frames, max(delays)
        self.steps = prompt.new_full((rows, books, 1 + frames + self.last), none)
        self._delays = torch.tensor(list(delays), device=prompt.device)
        self._offsets = list(delays)
        for k, delay in enumerate(delays):
            self.steps[:, k, 1 + delay : 1 + delay + self.known] = prompt[:, k]

    @property
    def to_write(self) -> range:
        """The steps that have something new."""
        return range(self.known + 1, self.steps.shape[-1]) if self.known < self.frames else range(0)

    def write(self, step: int, codes: Tensor) -> None:
        """Put the codes of a step where they belong; those of known frames stay.

        Shape: codes ``[B, codebooks]``.
        """
        frame = step - 1 - self._delays
        new = (frame >= self.known) & (frame < self.frames)
        self.steps[:, :, step] = torch.where(new, codes, self.steps[:, :, step])

    def complete(self, step: int) -> Tensor | None:
        """The frame that a step completed, shape ``[B, codebooks, 1]``; None where it completed none new."""
        frame = step - 1 - self.last
        if frame < self.known:
            return None
        return torch.stack([self.steps[:, k, 1 + frame + d] for k, d in enumerate(self._offsets)], 1)[
            ..., None
        ]
