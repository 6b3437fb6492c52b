"""One step of a prior's training: what comes after each step of the latents, as a cross entropy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from torchbend.rave.prior import Prior
from torchbend.training.settings import PriorSettings
from torchbend.training.stepping import Losses, Stepping, Verdict

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["PriorEngine"]


class PriorEngine(Stepping):
    """A prior in training. The model that it is for stays as it is.

    Args:
        prior: it is trained in place.
        settings: how.
        accelerator: where, and with whom.
    """

    heard_as = "generation"

    def __init__(self, prior: Prior, settings: PriorSettings, accelerator: Accelerator) -> None:
        self.prior, self.settings = prior, settings
        self._own = [p for name, p in prior.named_parameters() if not name.startswith("synth.")]
        for parameter in self._own:
            parameter.requires_grad_(True)
        fused = accelerator.device.type in ("cuda", "cpu")
        self.optimiser = torch.optim.Adam(self._own, settings.learning_rate, fused=fused)
        super().__init__(prior, settings, accelerator, (self.optimiser,))
        self._compile(prior.pre_net, *prior.residuals, prior.post_net)

    @property
    def parameters(self) -> int:
        """How many numbers are learnt."""
        return sum(p.numel() for p in self._own)

    def turn(self, batch: int) -> tuple[torch.optim.Optimizer, Losses]:
        """Every step is like the others."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate
        return self.optimiser, self._losses

    def _losses(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        loss = self.prior.loss(self._encoded(x))
        return {"latent_prediction": loss}, loss

    def _encoded(self, x: Tensor) -> Tensor:
        """Latents as an export would send them, drawn and not rounded to 16 bits; without gradients."""
        with torch.autocast(x.device.type, enabled=False):
            return self.prior.encode(x)

    def settle(self) -> None:
        """Nothing to do: what belongs to the model does not change."""

    @torch.no_grad()
    def validate(self, batches: Iterable[Tensor]) -> Verdict:
        """The cross entropy of held-out audio; a prior's own latents as sound."""
        prior, found, count = self.prior, 0.0, 0
        training, device = prior.training, prior.like.device
        prior.eval()
        try:
            for batch in batches:
                x = batch.to(device)
                found += float(prior.loss(self._encoded(x))) * len(x)
                count += len(x)
            # Frame by frame and with a memory, compiled code would be made anew, for a few seconds' work.
            heard = torch.compiler.disable(self._generated)()  # type: ignore[no-untyped-call]
        finally:
            prior.train(training)
        value = found / max(count, 1)
        return Verdict(value, {"validation": value}, heard, f"cross entropy {value:.3f}")

    def describe_plain(self, batches: Iterable[Tensor]) -> None:
        """Nothing to do: no statistics follow from a validation."""

    def _generated(self) -> Tensor:
        """What is made up from nothing, as long as an excerpt, shape ``[C, T]``; in the first process."""
        prior, settings = self.prior, self.settings
        if not self.accelerator.is_main_process:
            return torch.zeros(prior.synth.config.channels, 0)
        z = prior.generate(settings.length // prior.ratio, seed=settings.seed)
        return prior.decode(z)[0].float().cpu()
