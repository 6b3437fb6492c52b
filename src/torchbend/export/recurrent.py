"""Recurrent layers as one operation each, however many frames they are given.

Torch writes them out frame by frame where they are traced. Here a layer of a GRU is an operation of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import ExportError

__all__ = ["gru_layers"]


@torch.library.custom_op("torchbend::gru_layer", mutates_args=())
def gru_layer(x: Tensor, hidden: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """One layer of a GRU.

    Args:
        x: shape ``[T, B, C]``.
        hidden: its state, shape ``[1, B, H]``.
        weights: for the input and for the state, both ``[3 * H, ...]``, then the biases of both or nothing.

    Returns:
        Outputs ``[T, B, H]`` and the state after the last frame.
    """
    made = torch._VF.gru(x, hidden, list(weights), len(weights) == 4, 1, 0.0, False, False, False)
    return made[0].clone(), made[1].clone()


@gru_layer.register_fake
def _shapes(x: Tensor, hidden: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    return x.new_empty((x.shape[0], x.shape[1], hidden.shape[2])), torch.empty_like(hidden)


def gru_layers(
    x: Tensor, hidden: Tensor, weights: Sequence[Tensor], biases: bool, layers: int, dropout: float,
    train: bool, bidirectional: bool, batch_first: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """What ``torch.gru`` does, with one operation for each layer.

    Raises:
        ExportError: it looks at the frames from both ends, or drops some out.
    """
    if bidirectional or (train and dropout):
        raise ExportError(
            "this recurrent layer cannot be exported", site="gru", got="both directions, or dropout"
        )
    each = 4 if biases else 2
    signal, last = x.transpose(0, 1) if batch_first else x, []
    for layer in range(layers):
        own = list(weights[each * layer : each * (layer + 1)])
        signal, after = gru_layer(signal, hidden[layer : layer + 1], own)
        last.append(after)
    result: Any = signal.transpose(0, 1) if batch_first else signal
    return result, torch.cat(last)
