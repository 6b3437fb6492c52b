"""A recurrent layer that remembers its past from block to block."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torchbend.rave.streaming import Delay, Leaf, Walk, rows

__all__ = ["GRU"]


class GRU(Leaf):
    """Gated recurrent units over time.

    Args:
        channels: of the signal, and of the hidden state.
        layers: number of units on top of each other.
    """

    gru_state: Tensor

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, channels, layers, batch_first=True)
        self.register_buffer("gru_state", torch.tensor(0))
        self.enabled = True

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """The original starts each block at zero; here the hidden state goes on."""
        return delay if walk.as_original else walk.leaf(self, delay)

    def after(self, delay: Delay) -> Delay:
        """No later."""
        return delay

    def past(self, delay: Delay) -> tuple[int, ...] | None:
        """The hidden state of each layer."""
        return (self.gru.num_layers, self.gru.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, C, T]`` in and out."""
        if not self.enabled:
            return x
        if self.cache is None:
            return self.gru(x.transpose(1, 2))[0].transpose(1, 2)  # type: ignore[no-any-return]
        cache = rows(self.cache, x)
        y, hidden = self.gru(x.transpose(1, 2), cache.transpose(0, 1).contiguous())
        cache.copy_(hidden.transpose(0, 1).detach())
        return y.transpose(1, 2)  # type: ignore[no-any-return]
