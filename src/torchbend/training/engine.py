"""One step of a training: losses, gradients, weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from torchbend.errors import TrainingError
from torchbend.rave.bottlenecks import Discrete
from torchbend.rave.losses.step import (
    discriminator_losses,
    generator_losses,
    is_discriminator_step,
    logged,
    total,
)
from torchbend.rave.model import RAVE
from torchbend.training.average import MovingAverage
from torchbend.training.schedules import beta, learning_rate
from torchbend.training.settings import TrainSettings

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Engine"]

MIX = 0x9E3779B97F4A7C15
"""The golden ratio in 64 bits: spreads neighbouring numbers."""


class Engine:
    """A model in training, with its optimisers.

    All randomness of a step follows from the seed and the step's number, so that a run that goes on from a
    checkpoint makes the steps that it would have made.

    Args:
        model: it is trained in place.
        settings: how.
        accelerator: where, and with whom.
    """

    def __init__(self, model: RAVE, settings: TrainSettings, accelerator: Accelerator) -> None:
        self.model, self.settings, self.accelerator = model, settings, accelerator
        self.step = 0
        self._own = [*model.encoder.parameters(), *model.decoder.parameters()]
        self._critics = list(model.discriminator.parameters())
        fused = accelerator.device.type in ("cuda", "cpu")
        how: dict[str, Any] = {"betas": (0.5, 0.9), "fused": fused}
        self.generator = torch.optim.Adam(self._own, settings.learning_rate, **how)
        self.discriminator = torch.optim.Adam(self._critics, settings.discriminator_rate, **how)
        self.average = None if settings.ema is None else MovingAverage(model, settings.ema)
        if settings.compile:
            for part in (model.encoder.encoder, model.decoder, model.discriminator):
                part.compile()

    @property
    def warmed_up(self) -> bool:
        """Whether the second phase has begun."""
        return self.step >= self.model.config.training.phase_1_duration

    def train(self, x: Tensor, batch: int) -> dict[str, Tensor]:
        """Make one step.

        Args:
            x: audio, shape ``[B, C, T]``.
            batch: its number in its epoch, from 0; the original counts its discriminator's turns by it.

        Returns:
            The losses, without gradients, each as it is logged.

        Raises:
            TrainingError: a loss is not finite; no weight has changed then.
        """
        self._prepare()
        turn = batch if self.settings.as_original else self.step
        every = self.model.config.training.adversarial.update_every
        critic = is_discriminator_step(self.warmed_up, turn, every)
        optimiser = self.discriminator if critic else self.generator
        told: dict[str, Tensor] = {}
        parts = x.chunk(self.settings.accumulate)
        for part in parts:
            with self.accelerator.autocast():
                losses, loss = self._critic(part) if critic else self._generator(part)
            if not torch.isfinite(loss):
                optimiser.zero_grad(set_to_none=True)
                got = ", ".join(f"{name} {float(value):.4g}" for name, value in losses.items())
                raise TrainingError("a loss is not finite", site=f"step {self.step}", got=got)
            (loss / len(parts)).backward()  # type: ignore[no-untyped-call]
            for name, value in losses.items():
                told[name] = told.get(name, 0.0) + value.detach() / len(parts)
        self._learn(optimiser)
        return told

    def _prepare(self) -> None:
        seed = ((self.settings.seed * MIX) ^ (self.step * 2 + 1) * MIX) + self.accelerator.process_index
        torch.manual_seed(seed % 2**63)
        rate = learning_rate(
            self.step, self.settings.learning_rate, self.model.config.training.phase_1_duration
        )
        for group in self.generator.param_groups:
            group["lr"] = rate
        encoder, first = self.model.encoder, self.model.config.training.warmup_quantize
        if isinstance(encoder, Discrete) and first is not None and not self.settings.as_original:
            encoder.enabled.fill_(int(self.step >= first))

    def _generator(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        training = self.model.config.training
        losses = generator_losses(
            self.model, x, self.warmed_up, beta(self.step, training.beta), self.settings.as_original
        )
        weights = training.loss_weights
        return logged(losses, weights), total(losses, weights, self.settings.as_original)

    def _critic(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        losses = discriminator_losses(self.model, x, self.settings.as_original)
        return losses, losses["loss_dis"]

    def _learn(self, optimiser: torch.optim.Optimizer) -> None:
        """Take the gradients, averaged over all processes."""
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        _share([p.grad for p in parameters], self.accelerator)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        _share([b for b in self.model.buffers() if b.is_floating_point()], self.accelerator)
        self.step += 1
        if self.average is not None:
            self.average.update()

    # -- what a checkpoint keeps -----------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that a later run needs to make the same steps, under the names of the original's files."""
        kept: dict[str, Any] = {
            "global_step": self.step,
            "state_dict": self.model.state_dict(),
            "optimizer_states": [self.generator.state_dict(), self.discriminator.state_dict()],
        }
        if self.average is not None:
            kept["callbacks"] = {"EMA": self.average.weights}
        return kept

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint of `state`.

        Raises:
            TrainingError: it is that of another model.
        """
        try:
            self.model.load_state_dict(state["state_dict"])
            for optimiser, held in zip(
                (self.generator, self.discriminator), state["optimizer_states"], strict=True
            ):
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

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it, the model has the averaged weights, where there are any."""
        if self.average is None or not self.average.weights:
            yield
            return
        with self.average.applied():
            yield


def _share(tensors: Iterable[Tensor | None], accelerator: Accelerator) -> None:
    """Replace tensors by their means over all processes, in one message."""
    held = [tensor for tensor in tensors if tensor is not None]
    if accelerator.num_processes == 1 or not held:
        return
    flat: Tensor = accelerator.reduce(torch.cat([t.reshape(-1).float() for t in held]), "mean")
    with torch.no_grad():
        for tensor, mean in zip(held, torch.split(flat, [t.numel() for t in held]), strict=True):
            tensor.copy_(mean.view_as(tensor))
