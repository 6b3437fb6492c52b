"""One step of a RAVE model's training: whose turn it is, its losses, and what a validation finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from torchbend.rave.bottlenecks import Discrete
from torchbend.rave.losses.step import (
    discriminator_losses,
    generator_losses,
    is_discriminator_step,
    logged,
    total,
)
from torchbend.rave.model import RAVE
from torchbend.rave.pca import Components
from torchbend.training.machine import together
from torchbend.training.schedules import beta, learning_rate
from torchbend.training.settings import TrainSettings
from torchbend.training.stepping import Losses, Stepping, Verdict
from torchbend.training.validation import latent_components, validate

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Engine"]

STATISTICS = ("latent_pca", "latent_mean", "fidelity")
"""The model's buffers that hold the parts of `Components`."""


class Engine(Stepping):
    """A model in training, with its optimisers: one of encoder and decoder, one of the discriminator.

    Args:
        model: it is trained in place.
        settings: how.
        accelerator: where, and with whom.
    """

    heard_as = "audio_val"
    phases: ClassVar[Mapping[int, str]] = {2: "the discriminator comes in"}

    def __init__(self, model: RAVE, settings: TrainSettings, accelerator: Accelerator) -> None:
        self.model, self.settings = model, settings
        own = [*model.encoder.parameters(), *model.decoder.parameters()]
        fused = accelerator.device.type in ("cuda", "cpu")
        how: dict[str, Any] = {"betas": (0.5, 0.9), "fused": fused}
        self.generator = torch.optim.Adam(own, settings.learning_rate, **how)
        self.discriminator = torch.optim.Adam(
            model.discriminator.parameters(), settings.discriminator_rate, **how
        )
        super().__init__(model, settings, accelerator, (self.generator, self.discriminator), settings.ema)
        if isinstance(model.encoder, Discrete):
            model.encoder.rvq.learn_together(together(accelerator))
        self._compile(model.encoder.encoder, model.decoder, model.discriminator)

    @property
    def warmed_up(self) -> bool:
        """Whether the second phase has begun."""
        return self.step >= self.model.config.training.phase_1_duration

    @property
    def phase(self) -> int:
        """1 or 2."""
        return 1 + self.warmed_up

    def scheduled(self) -> dict[str, float]:
        """The factor of the regularisation in the last step."""
        return {"beta_factor": beta(self.step - 1, self.model.config.training.beta)}

    def turn(self, batch: int) -> tuple[torch.optim.Optimizer, Losses]:
        """The generator's step or the discriminator's, and its losses.

        Args:
            batch: its number in its epoch, from 0; the original counts its discriminator's turns by it.
        """
        self._prepare()
        number = batch if self.settings.as_original else self.step
        every = self.model.config.training.adversarial.update_every
        if is_discriminator_step(self.warmed_up, number, every):
            return self.discriminator, self._critic
        return self.generator, self._generator

    def _prepare(self) -> None:
        """Set what changes with the steps."""
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

    def validate(self, batches: Iterable[Tensor]) -> Verdict:
        """The spectral distance of what comes out; the model's principal components are set.

        In the second phase the original leaves the components as they are.
        """
        model = self.model
        found = validate(model, batches, self.warmed_up)
        if found.components is not None and not self._leaves_components:
            self._take(found.components)
        values = {"validation": found.distance, **found.fidelities()}
        return Verdict(found.distance, values, found.heard, f"distance {found.distance:.3f}")

    @property
    def _leaves_components(self) -> bool:
        return self.warmed_up and self.settings.as_original

    def _take(self, found: Components) -> None:
        for name, value in zip(STATISTICS, found, strict=True):
            self.model.get_buffer(name).copy_(value)

    def describe_plain(self, batches: Iterable[Tensor]) -> None:
        """The components of the plain weights are the model's; those of the averaged ones are kept apart."""
        found = None if self._leaves_components else latent_components(self.model, batches)
        if found is not None:
            self.of_average = {name: self.model.get_buffer(name).clone() for name in STATISTICS}
            self._take(found)
