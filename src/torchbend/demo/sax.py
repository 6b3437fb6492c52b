"""The saxophone that comes with the package: a RAVE, three ways to bend it, and its two phrases."""

from __future__ import annotations

import torch
from torch import Tensor

from torchbend.bending.callbacks import Cluster, Fold, Normal, Scale
from torchbend.bending.parameter import BendingParameter
from torchbend.bending.recipe import BendingConfig
from torchbend.bending.similarity import cosine_clusters
from torchbend.demo.instrument import Instrument, LatentSpace, NamedBend, StagePlan
from torchbend.demo.phrases import PHRASES, phrase
from torchbend.demo.sax_latents import latent_plays
from torchbend.interfaces.rave import BendedRAVE
from torchbend.shipped import model_path

__all__ = ["SECONDS", "sax_bends", "sax_instrument"]

SECONDS = 5.0
"""How much of each phrase is played."""

_KERNELS = r"decoder\.net\.[7-9]\..*weight$"
_SITE = "add_18"
"""What comes out of the Snake before the last upsampling; its channels are bent."""

_LOOK_FRAMES = 24
_STAGE_LATENTS = 8


def sax_instrument(seconds: float = SECONDS) -> Instrument:
    """The saxophone with the two phrases, traced.

    Args:
        seconds: how much of each phrase is played, at most 8.

    Raises:
        CheckpointError: the model's file is damaged.
    """
    bended = BendedRAVE(model_path("sax"))
    sounds = {name: phrase(name, bended.sample_rate, seconds, bended.ratio) for name in PHRASES}
    with torch.no_grad():
        latents = {name: bended.encode(sound) for name, sound in sounds.items()}
        components = {name: bended.encode(sound, postprocess=True) for name, sound in sounds.items()}
    together = torch.cat([z[..., :_LOOK_FRAMES] for z in latents.values()], -1)
    bends = sax_bends(bended, together)
    weights = sum(p.numel() for part in (bended.rave.encoder, bended.rave.decoder) for p in part.parameters())
    return Instrument(
        slug="sax",
        title="A saxophone that listens",
        story=f"A RAVE model: {weights / 1e6:.1f} million weights that learned to turn the sound of "
        f"saxophones into {bended.latent_size} slow curves, the latents, and the latents into sound again. "
        "It gets a violin and a piano, which it never heard, and answers as the saxophone that it is: that "
        "is the reconstruction. Then the model is bent in three ways, and its decoder is played in two.",
        bended=bended,
        phrases=sounds,
        sample_rate=bended.sample_rate,
        context=None,
        bends=bends,
        probes={
            "encode": sounds["violin"][..., : _LOOK_FRAMES * bended.ratio],
            "decode": latents["violin"][..., :_LOOK_FRAMES],
        },
        weights=r"decoder\.net\.(0|2|6|11|16|21)\.weight$",
        activations=r"z$|conv_transpose1d|sin|add_(1|6|12|18)$",
        input_files=True,
        program=_PROGRAM.format(recipe=bends[0].slug),
        commands=_COMMANDS.format(recipe=bends[0].slug),
        latents=LatentSpace(
            phrases=components,
            fidelity=bended.rave.fidelity,
            decode=lambda z: bended.decode(z, preprocess=True),
            frame_seconds=bended.ratio / bended.sample_rate,
            plays=latent_plays(components),
        ),
        stage=StagePlan((bends[0], bends[2]), _STAGE_LATENTS),
    )


def sax_bends(bended: BendedRAVE, latents: Tensor) -> tuple[NamedBend, ...]:
    """Three ways: weights, activations, and the activations of a cluster of channels.

    How strong they are follows from the model's own values, so that they suit any training of it.

    Args:
        bended: the saxophone.
        latents: of the phrases, ``[1, latents, frames]``.
    """
    names = bended.select(_KERNELS).only("weights").names
    spread = float(torch.cat([bended.weight(name).flatten() for name in names]).std())
    with torch.no_grad():
        values: Tensor = bended.get_activations(f"{_SITE}$", fn="decode", _args=(latents,))[_SITE][0]
    edge = _short(0.6 * float(values.std()))
    channels, alike = _choir(values)
    strength = _short(2 * spread)
    wear = BendingParameter("wear", strength, range=[0.0, 2 * strength])
    choir = BendingParameter("choir", 4.0, range=[-4.0, 4.0])
    return (
        NamedBend(
            "worn reed",
            f"Weights. Every number in the {len(names)} kernels of three residual blocks is moved by chance, "
            f"with a deviation of {strength:g}; the kernels' own is {spread:.2g}. The phrase stays where it "
            "was, with a rougher tone and noise between the notes.",
            BendingConfig((Normal(wear, seed=3), _KERNELS)),
        ),
        NamedBend(
            "folded bell",
            f"Activations. The {len(values)} channels before the last upsampling are doubled, and folded "
            f"back at {edge:g}. Loud and soft come close to each other, and each note "
            "gets a rough edge of noise.",
            BendingConfig((Fold(edge, 2.0), f"decode:{_SITE}$")),
        ),
        NamedBend(
            "loud choir",
            f"A cluster. {len(channels)} of the same {len(values)} channels move alike while the phrases "
            f"play (cosine similarity above {alike:g}): {', '.join(map(str, channels))}. These sing four "
            "times as loud; the others stay. What the cluster stands for comes to the front, and the colour "
            "changes.",
            BendingConfig((Cluster(Scale(choir), channels), f"decode:{_SITE}$")),
        ),
    )


def _choir(values: Tensor) -> tuple[list[int], float]:
    """The largest cluster at the highest threshold at which it holds an eighth of the channels, or more.

    Args:
        values: ``[channels, steps]``.

    Returns:
        The channels, and the threshold.
    """
    least = max(2, len(values) // 8)
    found: list[list[int]] = []
    for hundredths in range(95, 0, -5):
        found = cosine_clusters(values, hundredths / 100)
        if len(found[0]) >= least:
            return found[0], hundredths / 100
    return found[0], 0.05


def _short(number: float) -> float:
    """A number with two digits, as it is told and saved."""
    return float(f"{number:.2g}")


_PROGRAM = """\
import torchbend as tb

bended = tb.BendedRAVE("sax")
bended.bend(tb.BendingConfig.load("recipes/{recipe}.json", bended))
out = bended("violin-original.wav")
bended.write_audio("bent.wav", out)"""

_COMMANDS = """\
torchbend inspect sax
torchbend rave generate sax violin-original.wav --bend recipes/{recipe}.json --out bent
torchbend export sax --recipe recipes/{recipe}.json --out bent.ts
torchbend check bent.ts"""
