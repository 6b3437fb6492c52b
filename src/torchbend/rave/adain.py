"""Adaptive instance normalisation: statistics of one sound imposed on another."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.errors import StreamError

__all__ = ["AdaIN"]

ROWS = 64
"""Signals of a batch that have statistics of their own, as in the original's checkpoints."""


class AdaIN(nn.Module):
    """Gives a sound the mean and deviation of a target (Huang and Belongie, arXiv 1703.06868).

    ``x`` is the source, ``y`` the target. While ``learn_x`` or ``learn_y`` is set, each call adds its block
    to the average of that side's statistics. Without statistics of both sides, and in training, it is the
    identity.

    Args:
        channels: of the signal.
    """

    mean_x: Tensor
    std_x: Tensor
    learn_x: Tensor
    num_update_x: Tensor
    mean_y: Tensor
    std_y: Tensor
    learn_y: Tensor
    num_update_y: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        for side in ("x", "y"):
            self.register_buffer(f"mean_{side}", torch.zeros(ROWS, channels, 1))
            self.register_buffer(f"std_{side}", torch.ones(ROWS, channels, 1))
            self.register_buffer(f"learn_{side}", torch.zeros(1))
            self.register_buffer(f"num_update_{side}", torch.zeros(1))

    def reset_x(self) -> None:
        """Forget the source."""
        self.forget(self.mean_x, self.std_x, self.num_update_x, torch.ones_like(self.num_update_x))

    def reset_y(self) -> None:
        """Forget the target."""
        self.forget(self.mean_y, self.std_y, self.num_update_y, torch.ones_like(self.num_update_y))

    @staticmethod
    def forget(mean: Tensor, deviation: Tensor, count: Tensor, value: Tensor) -> None:
        """Where ``value`` is 1, a side's statistics are those of before any sound; where 0 they stay."""
        mean.mul_(1 - value)
        deviation.add_((1 - deviation) * value)
        count.mul_(1 - value)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, C, T]`` in and out.

        Raises:
            StreamError: there are more signals in the batch than rows of statistics.
        """
        if self.training:
            return x
        if x.shape[0] > len(self.mean_x):
            raise StreamError(
                "the batch is larger than the statistics of this normalisation",
                site="AdaIN",
                wanted=f"at most {len(self.mean_x)}",
                got=x.shape[0],
            )
        run = _scripted() if torch._C._is_tracing() else _adapt
        y: Tensor = run(
            x,
            self.learn_x,
            self.mean_x,
            self.std_x,
            self.num_update_x,
            self.learn_y,
            self.mean_y,
            self.std_y,
            self.num_update_y,
        )
        return y


def _adapt(
    x: Tensor,
    learn_x: Tensor,
    mean_x: Tensor,
    std_x: Tensor,
    count_x: Tensor,
    learn_y: Tensor,
    mean_y: Tensor,
    std_y: Tensor,
    count_y: Tensor,
) -> Tensor:
    """One block: learn what is to be learned, and transfer where both sides are known."""
    batch = x.shape[0]
    if bool(learn_y):
        known = x.detach()
        mean_y[:batch] += (known.mean(-1, keepdim=True) - mean_y[:batch]) / (count_y + 1)
        std_y[:batch] += (known.std(-1, keepdim=True) - std_y[:batch]) / (count_y + 1)
        count_y += 1
        return x
    if bool(learn_x):
        known = x.detach()
        mean_x[:batch] += (known.mean(-1, keepdim=True) - mean_x[:batch]) / (count_x + 1)
        std_x[:batch] += (known.std(-1, keepdim=True) - std_x[:batch]) / (count_x + 1)
        count_x += 1
    if bool(count_x) and bool(count_y):
        return (x - mean_x[:batch]) / (std_x[:batch] + 1e-5) * std_y[:batch] + mean_y[:batch]
    return x


@cache
def _scripted() -> Any:
    """The same, compiled: its decisions stay decisions in a traced model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(_adapt)
