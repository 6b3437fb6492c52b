"""Training steps beside the design of RAVE's first implementation."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.harness import PLAIN, Bar, Row, Section, Settings, interleaved
from torchbend.rave.losses.step import discriminator_losses, generator_losses, total
from torchbend.rave.model import RAVE
from torchbend.rave.presets import preset
from torchbend.training.engine import Engine
from torchbend.training.machine import accelerated
from torchbend.training.settings import TrainSettings

__all__ = ["training"]

_BAR = Bar("<= 0.65x", ratio=0.65)
_RECEPTIVE_FIELD = (27117, 26428)


def training(settings: Settings) -> Section:
    """Steps of v2 at full size, batch 1, 131,072 samples, on the CPU."""
    torch.manual_seed(0)
    rows = [
        _row(phase, warmup, step, settings)
        for phase, warmup, step in (
            ("phase 1", 10**6, 1),
            ("phase 2, generator", 0, 1),
            ("phase 2, discriminator", 0, 0),
        )
    ]
    text = (
        "One step of a v2 at full size: batch 1, 131,072 samples. *plain* is the design of the first "
        "implementation on the same layers: gradients reach what they do not change, in the second phase "
        "both halves of every step are computed, and the distances go through autograd."
    )
    return Section("RAVE: training steps", text, rows)


def _row(phase: str, warmup: int, step: int, settings: Settings) -> Row:
    small = {"capacity": 2} if settings.tiny else {}
    config = preset("v2", phase_1_duration=warmup, **small)
    model = RAVE(config).train()
    model.receptive_field.copy_(torch.tensor(_RECEPTIVE_FIELD))
    engine = Engine(model, TrainSettings(), accelerated(device="cpu"))
    x = 0.1 * torch.randn(1, 1, 131_072)

    def ours() -> None:
        engine.step = step
        engine.train(x, 0)

    def original() -> None:
        engine.step = step
        _as_original(engine, x, discriminator=step == 0 and warmup == 0)

    found = interleaved({PLAIN: original, "torchbend": ours}, max(settings.rounds // 10, 1), warm_up=1)
    return Row.of(f"v2: {phase}", found, "torchbend", _BAR)


def _as_original(engine: Engine, x: Tensor, discriminator: bool) -> None:
    """A step that computes what the original computes, and steps the same optimiser."""
    model, weights = engine.model, engine.model.config.training.loss_weights
    losses = generator_losses(model, x.clone().requires_grad_(), engine.warmed_up, 0.05, as_original=True)
    loss = total(losses, weights, as_original=True)
    optimiser = engine.discriminator if discriminator else engine.generator
    if discriminator:
        loss = discriminator_losses(model, x, as_original=True)["loss_dis"]
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
