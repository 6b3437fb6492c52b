"""What the language model remembers while it writes: keys and values of the frames, and what it was told."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Opening", "Past", "Told", "Words"]


class Words:
    """The prompts, for a model that has an attention of its own to them.

    Args:
        keys: of each layer, shape ``[layers, rows, heads, words, size]``.
        values: the same.
        mask: True where a word may be listened to, shape ``[rows, 1, 1, words]``.
    """

    def __init__(self, keys: Tensor, values: Tensor, mask: Tensor) -> None:
        self.keys, self.values, self.mask = keys, values, mask

    @property
    def rows(self) -> int:
        """How many sequences they are for."""
        return self.keys.shape[1]

    def part(self, begin: int, end: int) -> Words:
        """Some of the rows."""
        return Words(self.keys[:, begin:end], self.values[:, begin:end], self.mask[begin:end])

    def memory(self, steps: int) -> Tensor:
        """Room for keys or values of so many steps, shape ``[layers, rows, heads, steps, size]``."""
        layers, rows, heads, _, size = self.keys.shape
        return self.keys.new_zeros(layers, rows, heads, steps, size)


class Opening:
    """Melodies and prompts, for a model in whose sequence they stand before the first step.

    Args:
        hidden: shape ``[rows, places, size]``.
        listens: False at places that are only there because a neighbour's prompt is longer, at the end;
            shape ``[rows, places]``.
        layers: of the language model.
        heads: of each of its attentions.
    """

    def __init__(self, hidden: Tensor, listens: Tensor, layers: int, heads: int) -> None:
        self.hidden, self.listens, self.layers, self.heads = hidden, listens, layers, heads

    @property
    def rows(self) -> int:
        """How many sequences it is for."""
        return len(self.hidden)

    @property
    def places(self) -> int:
        """How many places of the sequence it takes."""
        return self.hidden.shape[1]

    def part(self, begin: int, end: int) -> Opening:
        """Some of the rows."""
        return Opening(self.hidden[begin:end], self.listens[begin:end], self.layers, self.heads)

    def memory(self, steps: int) -> Tensor:
        """Room for keys or values of itself and so many steps, as of `Words.memory`."""
        rows, places, size = self.hidden.shape
        return self.hidden.new_zeros(self.layers, rows, self.heads, places + steps, size // self.heads)


Told = Words | Opening


class Past:
    """The memory of one sequence of steps, with room for all of them.

    Calling it stores new keys and values of a layer, and gives all so far.

    Args:
        words: what the model knows of the prompts.
        capacity: how many steps there will be at most.

    Attributes:
        length: steps so far; whoever makes a step adds to it.
    """

    def __init__(self, words: Told, capacity: int) -> None:
        self.words = words
        self.length = 0
        self._keys = words.memory(capacity)
        self._values = torch.zeros_like(self._keys)

    @property
    def opening(self) -> Tensor | None:
        """What has to stand before the first step, shape ``[rows, places, size]``; None where nothing has."""
        return self.words.hidden if isinstance(self.words, Opening) and not self.length else None

    @property
    def _begin(self) -> int:
        """The place in the memory of what comes next."""
        before = self.words.places if isinstance(self.words, Opening) and self.length else 0
        return before + self.length

    def __call__(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: key and value ``[rows, heads, T, size]``; all so far have more of T."""
        begin, end = self._begin, self._begin + key.shape[-2]
        keys, values = self._keys[layer], self._values[layer]
        keys[:, :, begin:end] = key
        values[:, :, begin:end] = value
        return keys[:, :, :end], values[:, :, :end]

    def text(self, layer: int) -> tuple[Tensor, Tensor, Tensor]:
        """Keys, values and mask of the words for a layer that has an attention to them."""
        words: Any = self.words
        return words.keys[layer], words.values[layer], words.mask

    def positions(self, count: int) -> Tensor:
        """Where ``count`` new places are in the sequence, shape ``[count]`` or ``[rows, count]``."""
        places = torch.arange(self._begin, self._begin + count, device=self._keys.device)
        if isinstance(self.words, Words):
            return places
        absent = (~self.words.listens).sum(-1, keepdim=True)
        return torch.where(places < self.words.places, places, places - absent)

    def causal(self, count: int) -> Tensor | None:
        """What each of ``count`` new places may listen to; None: to everything.

        Shape: ``[count, places]``, or ``[rows, 1, count, places]`` where rows differ.
        """
        told = self.words
        if count == 1 and isinstance(told, Words):
            return None
        places = torch.arange(self._begin + count, device=self._keys.device)
        mask = places <= places[self._begin :, None]
        if isinstance(told, Words):
            return mask
        listens = F.pad(told.listens, (0, len(places) - told.places), value=True)
        return mask & listens[:, None, None]
