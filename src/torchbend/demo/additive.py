"""A small additive synthesiser in the manner of Joseph Fourier, its two phrases and its five bends."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from torchbend.bending.callbacks import Blend, Fold, Mask, Normal, Quantize, Rewire
from torchbend.bending.parameter import BendingParameter
from torchbend.bending.recipe import BendingConfig
from torchbend.demo.instrument import Instrument, NamedBend, Sweep, there_and_back
from torchbend.demo.programs import module_commands, module_program
from torchbend.module import BendedModule

__all__ = ["AdditiveSynthesiser", "additive", "additive_bends", "additive_instrument"]

_RATE = 22050
_LOW = (0, 7, 12, 15, 19, 14, 12, 7)
_HIGH = (24, 22, 19, 27, 26, 19, 22, 24)
_NOTE_SECONDS = 0.3
_FACTORY, _INPUT = "torchbend.demo:additive", "inputs/low.safetensors"
_LOOK = 8192


class AdditiveSynthesiser(nn.Module):
    """Adds up sines whose frequencies are multiples of a fundamental that may change with time.

    Args:
        partials: how many sines.
        sample_rate: in Hz.

    Shape:
        ``[batch, 2, T]``, fundamental in Hz and loudness from 0 to 1, to the sound ``[batch, 1, T]``.
    """

    def __init__(self, partials: int = 8, sample_rate: int = _RATE) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.ratios = nn.Parameter(torch.arange(1.0, partials + 1)[:, None], requires_grad=False)
        self.amps = nn.Parameter(-0.55 * torch.arange(float(partials))[:, None], requires_grad=False)

    def forward(self, score: Tensor) -> Tensor:
        """The sound of a fundamental and a loudness."""
        fundamental, loudness = score[:, :1], score[:, 1:]
        phase = torch.cumsum(fundamental / self.sample_rate, -1)
        waves = torch.sin(2 * math.pi * (phase * self.ratios))
        shares = torch.softmax(self.amps, dim=-2)
        return (waves * shares).sum(-2, keepdim=True) * loudness


def additive(partials: int = 8) -> AdditiveSynthesiser:
    """The synthesiser, for the command line."""
    return AdditiveSynthesiser(partials)


def additive_bends() -> tuple[NamedBend, ...]:
    """The five, from weights to activations to a control that moves."""
    rust = BendingParameter("rust", 0.0, range=[0.0, 1.0])
    return (
        NamedBend(
            "missing teeth",
            "The second, fourth and seventh partial have lost their frequency. What is left is hollow.",
            BendingConfig((Mask(0.5, seed=1), "ratios$")),
        ),
        NamedBend(
            "bent bells",
            "Noise on the ratios of the partials: they no longer meet, and the tones turn into bells.",
            BendingConfig((Normal(0.3, seed=2), "ratios$")),
        ),
        NamedBend(
            "paper folds",
            "Each sine is driven over its edge and folded back: every partial gets partials.",
            BendingConfig((Fold(0.8, 1.6), "sin$")),
        ),
        NamedBend(
            "upside down",
            "The loudness of the partials in reverse order: the highest is the loudest.",
            BendingConfig((Rewire(dim=0), "amps$")),
        ),
        NamedBend(
            "coming rust",
            "The sines fall into three steps, blended in and out by a control that moves while it plays.",
            BendingConfig((Blend(Quantize(levels=3), rust), "sin$")),
            Sweep("rust", there_and_back, "from 0 to 1 in the middle of the phrase, and back"),
        ),
    )


def additive_instrument() -> Instrument:
    """The synthesiser with two phrases, traced."""
    bended = BendedModule(additive().eval())
    phrases = {"low": _score(_LOW), "high": _score(_HIGH)}
    bended.trace(score=phrases["low"][..., :1024])
    bends = additive_bends()
    reading = f'x = tb.weights_file.load_weights("{_INPUT}")["score"]'
    return Instrument(
        slug="additive",
        title="Additive synthesiser",
        story="Eight sines at multiples of a fundamental, each with its share of the loudness: two "
        "weights, and every value on the way can be looked at. It plays two phrases of eight notes.",
        bended=bended,
        phrases=phrases,
        sample_rate=_RATE,
        context=None,
        bends=bends,
        probes={"forward": phrases["low"][..., :_LOOK]},
        weights=".*",
        activations=".*",
        input_files=False,
        program=module_program(_FACTORY, reading, bends[0].slug),
        commands=module_commands(_FACTORY, _INPUT, bends[0].slug, _RATE),
    )


def _score(steps: tuple[int, ...]) -> Tensor:
    """Notes in semitones over 110 Hz as fundamental and loudness, ``[1, 2, samples]``."""
    length = round(_NOTE_SECONDS * _RATE)
    fundamental = torch.tensor([110 * 2 ** (step / 12) for step in steps]).repeat_interleave(length)
    time = torch.arange(length) / _RATE
    note = (time / 0.01).clamp_max(1) * torch.exp(-3 * time) * ((_NOTE_SECONDS - time) / 0.03).clamp(0, 1)
    return torch.stack([fundamental, note.repeat(len(steps))])[None]
