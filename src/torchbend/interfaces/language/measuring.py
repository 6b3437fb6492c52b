"""How surprised a model is by a text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["surprise"]


def surprise(scores: Callable[[Tensor], Tensor], ids: Sequence[int], context: int | None) -> float:
    """The perplexity of a text: e to the mean of what each token but the first was not expected.

    Args:
        scores: of each token after each of the given ones: ``[1, T]`` to ``[1, T, vocabulary]``.
        ids: the text.
        context: how many tokens can be read at once; longer texts are read in pieces that overlap by half,
            and each token counts once, with at least half of that before it.
    """
    text = torch.tensor(list(ids))
    longest = len(text) if context is None else min(context, len(text))
    stride = max(1, longest // 2)
    total, known, begin = 0.0, 1, 0
    while known < len(text):
        piece = text[begin : begin + longest]
        likely = F.log_softmax(scores(piece[None])[0].float(), -1)
        new = piece[known - begin :]
        told = likely[known - begin - 1 : len(piece) - 1].gather(-1, new[:, None])
        total -= float(told.double().sum())
        known = begin + len(piece)
        begin = known - longest + stride if known + stride <= len(text) else len(text) - longest
    return math.exp(total / (len(text) - 1))
