"""Bent models for the stage: all configurations of RAVE, a vocoder, an additive synthesiser."""

from __future__ import annotations

from typing import Any

import torch
from tests.zoo.nets_audio import vocoder_with_parametrized_norm
from torch import Tensor, nn

import torchbend as tb
from torchbend.interfaces.rave import BendedRAVE
from torchbend.rave import RAVE, preset
from torchbend.rave.bottlenecks import Discrete

FEW: dict[str, Any] = {"dilations": ((1,), (3,), (1,), (1,))}
"""Fewer layers, where what is tested is not the layers."""

SOME: dict[str, Any] = {"dilations": ((1, 3, 9), (1,), (1,), (1,))}
"""A few more: one of each kind."""

CODES: dict[str, Any] = {"num_quantizers": 3, "codebook_size": 16}

PRESETS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "v1": (("v1",), {}),
    "v2": (("v2",), SOME),
    "v3": (("v3",), FEW),
    "discrete": (("discrete",), {**FEW, **CODES, "noise_augmentation": 0}),
    "discrete_noise": (("discrete",), {**FEW, **CODES, "noise_augmentation": 4}),
    "causal": (("v2", "causal"), FEW),
    "spherical": (("v2", "spherical"), FEW),
    "wasserstein": (("v2", "wasserstein"), FEW),
    "two_channels": (("v2",), {**FEW, "channels": 2}),
    "two_signals": (("v2",), FEW),
    "nopqmf": (("v2_nopqmf",), FEW),
    "brave": (("brave",), {}),
    "double_rate": (("brave",), {"sampling_rate": 22050}),
}
"""The configurations by name: names and values for `preset`."""

CHECKED = (
    "v1",
    "two_signals",
    "v3",
    "discrete",
    "causal",
    "spherical",
    "wasserstein",
    "two_channels",
    "nopqmf",
)
"""One of each kind, as small as it can be; ``two_signals`` is v2."""

PLAIN: dict[str, Any] = {"sample": False, "fill": "zeros"}
"""Nothing is drawn."""

OPTIONS: dict[str, dict[str, Any]] = {
    "v3": PLAIN,
    "causal": PLAIN,
    "nopqmf": PLAIN,
    "brave": {**PLAIN, "latents": 8},
    "two_signals": {**PLAIN, "channels": 2, "batch": 2},
    "double_rate": {**PLAIN, "sample_rate": 44100, "batch": 2},
}
"""How some are exported."""

DRIVE, SHIFT = (0.0, 2.0), (-0.5, 0.5)
"""The ranges of the two controls."""

FIDELITY = (0.5, 0.7, 0.8, 0.9, 0.96, 0.97, 0.99, 1.0)


def small(name: str, **more: Any) -> RAVE:
    """A small random model, loud enough that errors are not lost in silence."""
    names, values = PRESETS[name]
    torch.manual_seed(0)
    model = RAVE(preset(*names, **{"capacity": 4, "latent_size": 8, **values, **more}))
    model.eval().requires_grad_(False)
    for layer in model.modules():
        if hasattr(layer, "weight_g"):
            layer.weight_g.mul_(2.0)
    if model.latent_size == 8:
        model.latent_pca.copy_(torch.linalg.qr(torch.randn(8, 8))[0])
        model.latent_mean.normal_()
        model.fidelity.copy_(torch.tensor(FIDELITY))
    if isinstance(model.encoder, Discrete):
        model.encoder.enabled.fill_(1)
        for codebook in model.encoder.rvq.codebooks:
            codebook.embed.normal_()
            codebook.inited.fill_(1)
    return model


def bend(bended: tb.BendedModule, weight: str, activation: str) -> None:
    """A control on a weight, one on an activation."""
    drive = tb.BendingParameter("drive", 1.25, range=DRIVE)
    shift = tb.BendingParameter("shift", 0.1, range=SHIFT)
    bended.bend(tb.Scale(drive), weight)
    bended.bend(tb.Bias(shift), activation)


def bent_rave(name: str, **more: Any) -> BendedRAVE:
    """A small model with two controls."""
    bended = BendedRAVE(small(name, **more), batch_size=4)
    bend(bended, r"decoder\.net\.0\.weight_g$", "decode:tanh$")
    return bended


class Additive(nn.Module):
    """The additive synthesiser of the documents: time in seconds, ``[batch, T]``, to a sound."""

    def __init__(self, f0: float = 110.0, partials: int = 4) -> None:
        super().__init__()
        self.f0 = nn.Parameter(torch.tensor(f0))
        self.ratios = nn.Parameter(torch.arange(1.0, partials + 1)[:, None])
        self.amps = nn.Parameter(torch.full((partials, 1), 1 / partials))

    def forward(self, t: Tensor) -> Tensor:
        phase = 2 * torch.pi * (self.f0 * self.ratios) * t[:, None]
        return (torch.sin(phase) * self.amps).sum(1)


def bent_additive() -> tb.BendedModule:
    """With a control on the ratios of its partials and one on its sines."""
    bended = tb.BendedModule(Additive())
    bended.trace("forward", torch.arange(4096)[None] / 44100)
    bend(bended, "ratios$", "forward:sin$")
    return bended


CONTEXT = 16
"""Mel frames that the vocoder looks at before and after those that it plays."""


def bent_vocoder() -> tb.BendedModule:
    """A small HiFi-GAN, ``[B, 16, T]`` to ``[B, 1, 16 T]``, with two controls."""
    torch.manual_seed(0)
    bended = tb.BendedModule(vocoder_with_parametrized_norm().eval())
    bended.trace("forward", torch.randn(1, 16, 64, generator=torch.Generator().manual_seed(0)))
    bend(bended, r"first\.parametrizations\.weight\.original0$", "tanh$")
    return bended
