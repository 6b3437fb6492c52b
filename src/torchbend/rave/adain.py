"""Adaptive instance normalisation: statistics of one sound imposed on another."""

from __future__ import annotations

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
        self._reset(self.mean_x, self.std_x, self.num_update_x)

    def reset_y(self) -> None:
        """Forget the target."""
        self._reset(self.mean_y, self.std_y, self.num_update_y)

    @staticmethod
    def _reset(mean: Tensor, std: Tensor, count: Tensor) -> None:
        with torch.no_grad():
            mean.zero_()
            std.fill_(1.0)
            count.zero_()

    @staticmethod
    def _learn(x: Tensor, mean: Tensor, std: Tensor, count: Tensor) -> None:
        batch = x.shape[0]
        with torch.no_grad():
            mean[:batch] += (x.mean(-1, keepdim=True) - mean[:batch]) / (count + 1)
            std[:batch] += (x.std(-1, keepdim=True) - std[:batch]) / (count + 1)
            count += 1

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
        if self.learn_y:
            self._learn(x, self.mean_y, self.std_y, self.num_update_y)
            return x
        if self.learn_x:
            self._learn(x, self.mean_x, self.std_x, self.num_update_x)
        if self.num_update_x and self.num_update_y:
            batch = x.shape[0]
            centred = (x - self.mean_x[:batch]) / (self.std_x[:batch] + 1e-5)
            return centred * self.std_y[:batch] + self.mean_y[:batch]
        return x
