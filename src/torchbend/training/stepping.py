"""What every training does in a step: chance, losses, gradients, weights; and what a checkpoint keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from torchbend.errors import TrainingError
from torchbend.rave.checkpoints.state import OF_AVERAGE
from torchbend.training.average import MovingAverage
from torchbend.training.machine import shared
from torchbend.training.settings import RunSettings

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Losses", "Stepping", "Verdict"]

MIX = 0x9E3779B97F4A7C15
"""The golden ratio in 64 bits: spreads neighbouring numbers."""

BACKEND = "inductor"
"""Of ``torch.compile``."""

Losses = Callable[[Tensor], tuple[dict[str, Tensor], Tensor]]
"""From audio to the losses as they are logged, and to the one that has gradients."""


@dataclass(frozen=True)
class Verdict:
    """What a validation found.

    Attributes:
        value: smaller is better.
        values: that are logged, by name.
        heard: what it sounds like, shape ``[C, T]``.
        words: for whoever looks on.
    """

    value: float
    values: dict[str, float]
    heard: Tensor
    words: str


class Stepping(ABC):
    """A network in training, with its optimisers.

    All randomness of a step follows from the seed and the step's number, so that a run that goes on from a
    checkpoint makes the steps that it would have made.

    Args:
        network: it is trained in place.
        settings: how.
        accelerator: where, and with whom.
        optimisers: in the order in which a checkpoint keeps them.
        decay: of the moving average of the weights; None keeps none.
    """

    heard_as: ClassVar[str]
    """The name of validations' audio in TensorBoard."""

    phases: ClassVar[Mapping[int, str]] = {}
    """What begins with each phase after the first, in words."""

    def __init__(
        self,
        network: nn.Module,
        settings: RunSettings,
        accelerator: Accelerator,
        optimisers: Sequence[torch.optim.Optimizer],
        decay: float | None = None,
    ) -> None:
        self.accelerator = accelerator
        self.step = 0
        self.average = None if decay is None else MovingAverage(network, decay)
        self.of_average: dict[str, Tensor] = {}
        self._network, self._how, self._optimisers = network, settings, tuple(optimisers)

    def _compile(self, *parts: nn.Module) -> None:
        """Let networks be compiled at their first step, where that is asked for."""
        if self._how.compile:
            for part in parts:
                part.compile(backend=BACKEND)

    # -- what each training has of its own -------------------------------------------------------------------

    @abstractmethod
    def turn(self, batch: int) -> tuple[torch.optim.Optimizer, Losses]:
        """Whose step the next one is, and what it is made of.

        Args:
            batch: its number in its epoch, from 0.
        """

    @abstractmethod
    def validate(self, batches: Iterable[Tensor]) -> Verdict:
        """Judge the network as it is by held-out audio; statistics that follow from it are kept."""

    @abstractmethod
    def describe_plain(self, batches: Iterable[Tensor]) -> None:
        """Statistics that `validate` found of averaged weights go to `of_average`; the plain ones' are found.

        Where `validate` finds none, there is nothing to do.

        Args:
            batches: the same audio.
        """

    @property
    def phase(self) -> int:
        """Of the training, from 1."""
        return 1

    @property
    def parameters(self) -> int:
        """How many numbers the network has."""
        return sum(p.numel() for p in self._network.parameters())

    def scheduled(self) -> dict[str, float]:
        """What is logged beside the losses of the last step."""
        return {}

    # -- a step ----------------------------------------------------------------------------------------------

    def train(self, x: Tensor, batch: int) -> dict[str, Tensor]:
        """Make one step.

        Args:
            x: audio, shape ``[B, C, T]``.
            batch: its number in its epoch, from 0.

        Returns:
            The losses, without gradients, each as it is logged.

        Raises:
            TrainingError: a loss is not finite, or the networks cannot be compiled; no weight has changed
                then.
        """
        self.seed()
        optimiser, losses_of = self.turn(batch)
        told: dict[str, Tensor] = {}
        parts = x.chunk(self._how.accumulate)
        for part in parts:
            with self._rounded(), self._compiling():
                losses, loss = losses_of(part)
            if not torch.isfinite(loss):
                self._network.zero_grad(set_to_none=True)
                got = ", ".join(f"{name} {float(value.detach()):.4g}" for name, value in losses.items())
                raise TrainingError("a loss is not finite", site=f"step {self.step}", got=got)
            with self._compiling():
                (loss / len(parts)).backward()  # type: ignore[no-untyped-call]
            for name, value in losses.items():
                told[name] = told.get(name, 0.0) + value.detach() / len(parts)
        self._learn(optimiser)
        return told

    def _rounded(self) -> torch.autocast:
        """Within it, networks run in 16 bits where the settings say so."""
        device, low = self.accelerator.device.type, self._how.precision == "bf16"
        return torch.autocast(device, torch.bfloat16, enabled=low)

    @contextmanager
    def _compiling(self) -> Iterator[None]:
        """Within it, what the compiler cannot do is told."""
        if not self._how.compile:
            yield
            return
        from torch._dynamo.exc import TorchDynamoException

        try:
            yield
        except TorchDynamoException as error:
            raise TrainingError(
                "the networks cannot be compiled here",
                site="--compile",
                got=" ".join(str(error).split())[:200] or type(error).__name__,
                next_step="go on without --compile; on a CPU it needs a C++ compiler, as g++",
            ) from error

    def seed(self) -> None:
        """Set PyTorch's chance to that of the next step."""
        number = ((self._how.seed * MIX) ^ (self.step * 2 + 1) * MIX) + self.accelerator.process_index
        torch.manual_seed(number % 2**63)

    def _learn(self, optimiser: torch.optim.Optimizer) -> None:
        """Take the gradients, averaged over all processes."""
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        shared([p.grad for p in parameters], self.accelerator)
        optimiser.step()
        for parameter in parameters:
            # Fused optimisers write past PyTorch's count of changes; weights that are computed from
            # parameters, and kept, would stay as they were wherever no gradients are wanted.
            torch.autograd.graph.increment_version(parameter)
        # The others' too: the original's losses leave gradients where nobody learns in this step.
        self._network.zero_grad(set_to_none=True)
        self.step += 1
        if self.average is not None:
            self.average.update()

    def settle(self) -> None:
        """Let all processes have the same statistics: the means of those that each has learnt of its batches.

        They are moving averages, so that their mean at a later step is that of each step; whoever uses or
        keeps them asks for it, in all processes.
        """
        layers = [layer for layer in self._network.modules() if isinstance(layer, _BatchNorm)]
        shared([s for layer in layers for s in (layer.running_mean, layer.running_var)], self.accelerator)

    # -- what a checkpoint keeps -----------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that a later run needs to make the same steps, under the names of the original's files.

        Raises:
            TrainingError: a weight is not finite, as after a gradient that was not: nothing goes on from it.
        """
        if not torch.stack([p.detach().isfinite().all() for p in self._network.parameters()]).all():
            raise TrainingError(
                "the weights are not finite any more",
                site=f"step {self.step}",
                next_step="go on from the last checkpoint with a smaller --learning-rate",
            )
        kept: dict[str, Any] = {
            "global_step": self.step,
            "state_dict": self._network.state_dict(),
            "optimizer_states": [optimiser.state_dict() for optimiser in self._optimisers],
        }
        if self.average is not None:
            kept["callbacks"] = {"EMA": self.average.weights}
            kept[OF_AVERAGE] = self.of_average
        return kept

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint of `state`.

        Raises:
            TrainingError: it is that of another model.
        """
        try:
            self._network.load_state_dict(state["state_dict"])
            for optimiser, held in zip(self._optimisers, state["optimizer_states"], strict=True):
                optimiser.load_state_dict(held)
            self.step = int(state["global_step"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise TrainingError(
                "the checkpoint does not fit this training",
                site="checkpoint",
                got=str(error).splitlines()[0][:200],
                next_step="name the configuration that the run was started with, or start another run",
            ) from error
        average = state.get("callbacks", {}).get("EMA")
        if self.average is not None and average is not None:
            self.average.load(average)
            self.of_average = {n: v.clone() for n, v in state.get(OF_AVERAGE, {}).items()}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it, the model has the averaged weights, where there are any."""
        if self.average is None or not self.average.weights:
            yield
            return
        with self.average.applied():
            yield
