"""The exponential moving average of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from torchbend.errors import TrainingError

__all__ = ["MovingAverage"]


class MovingAverage:
    """The average of a model's parameters over its last steps: smoother than the weights of any one step.

    Args:
        model: it is averaged from its next step on.
        decay: share of the old average that stays at each step, in [0, 1).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights: dict[str, Tensor] = {}
        self._model = model

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights of a step in; the first ones are copied."""
        now = {name: parameter.detach() for name, parameter in self._model.named_parameters()}
        if not self.weights:
            self.weights = {name: value.clone() for name, value in now.items()}
            return
        torch._foreach_lerp_(
            list(self.weights.values()), [now[name] for name in self.weights], 1 - self.decay
        )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it, the model has the averaged weights."""
        own = dict(self._model.named_parameters())
        kept = {name: parameter.detach().clone() for name, parameter in own.items() if name in self.weights}
        try:
            self._fill(own, self.weights)
            yield
        finally:
            self._fill(own, kept)

    @staticmethod
    @torch.no_grad()
    def _fill(own: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            own[name].copy_(value)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from an average that was kept.

        Raises:
            TrainingError: it is that of another model.
        """
        shapes = {name: value.shape for name, value in self._model.named_parameters()}
        if {name: value.shape for name, value in weights.items()} != shapes:
            raise TrainingError(
                "the averaged weights of this checkpoint are those of another model", site="EMA"
            )
        device = next(self._model.parameters()).device
        self.weights = {name: value.to(device, copy=True) for name, value in weights.items()}
