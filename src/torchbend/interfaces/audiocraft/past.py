"""What the language model remembers while it writes: keys and values of the frames and of the words."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Past", "Words"]


class Words:
    """What the model knows of the prompts.

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


class Past:
    """The memory of one sequence of steps, with room for all of them.

    Calling it stores new keys and values of a layer, and gives all so far.

    Args:
        words: what the model knows of the prompts.
        capacity: how many steps there will be at most.

    Attributes:
        length: steps so far; whoever makes a step adds to it.
    """

    def __init__(self, words: Words, capacity: int) -> None:
        layers, rows, heads, _, size = words.keys.shape
        self.words = words
        self.length = 0
        self._keys = words.keys.new_zeros(layers, rows, heads, capacity, size)
        self._values = torch.zeros_like(self._keys)

    def __call__(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: key and value ``[rows, heads, T, size]``; all so far have more of T."""
        begin, end = self.length, self.length + key.shape[-2]
        keys, values = self._keys[layer], self._values[layer]
        keys[:, :, begin:end] = key
        values[:, :, begin:end] = value
        return keys[:, :, :end], values[:, :, :end]

    def text(self, layer: int) -> tuple[Tensor, Tensor, Tensor]:
        """Keys, values and mask of the words for a layer."""
        return self.words.keys[layer], self.words.values[layer], self.words.mask

    def causal(self, count: int) -> Tensor | None:
        """What each of ``count`` new steps may listen to, shape ``[count, steps]``; None: to everything."""
        if count == 1:
            return None
        steps = torch.arange(self.length + count, device=self._keys.device)
        return steps <= steps[self.length :, None]
