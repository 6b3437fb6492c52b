"""Models that tests export, and how a file is compared with what it was made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

import torchbend as tb
from torchbend.demo.additive import additive
from torchbend.export.agreement import difference
from torchbend.interfaces.rave import BendedRAVE
from torchbend.rave import RAVE, preset


def synthesiser() -> tb.BendedModule:
    """The additive synthesiser with a control on a weight and one on an activation."""
    bended = tb.BendedModule(additive().eval())
    torch.manual_seed(0)
    bended.trace(score=score(64))
    bended.bend(tb.Scale(tb.BendingParameter("stretch", 1.0, range=(0.5, 2))), "ratios$")
    bended.bend(tb.Bias(tb.BendingParameter("shift", 0, range=(-1, 1))), "sin$")
    return bended


def score(length: int) -> Tensor:
    """A fundamental that rises and a loudness that falls, ``[1, 2, length]``."""
    return torch.stack([torch.linspace(100, 200, length), torch.linspace(1, 0.5, length)])[None]


def small_rave(*names: str, channels: int = 1) -> BendedRAVE:
    """A small RAVE model with random weights, streaming."""
    torch.manual_seed(0)
    options: dict[str, int] = {"capacity": 4, "latent_size": 8, "channels": channels}
    if names[0] == "discrete":
        options |= {"num_quantizers": 2, "codebook_size": 16, "noise_augmentation": 0}
    model = RAVE(preset(*names, **options)).eval().requires_grad_(False)
    for layer in model.modules():  # loud enough that errors are not lost in silence
        if hasattr(layer, "weight_g"):
            layer.weight_g.mul_(2.0)
    model.encoder.samples = False
    bended = BendedRAVE(model)
    bended.stream(1)
    return bended


def stream_difference(
    live: Callable[[Tensor], Tensor], exported: Callable[[Tensor], Any], blocks: Sequence[Tensor]
) -> float:
    """The difference over a stream, root mean square, in standard deviations of the live output.

    Single samples may be further off: the live model itself is up to 1e-5 away from what float64 gives.
    """
    with torch.no_grad():
        wanted = torch.cat([live(block).clone() for block in blocks], -1)
    got = torch.cat([torch.as_tensor(exported(block)) for block in blocks], -1)
    assert difference(wanted, got) < 1e-4
    return float((got - wanted).square().mean().sqrt() / wanted.std())
