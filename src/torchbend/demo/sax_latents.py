"""Two ways to play the saxophone's decoder: from one phrase to the other, and along a drawn line."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from torchbend.demo.instrument import LatentPlay
from torchbend.rave.latents import morph, scale_and_bias, spherical_path

__all__ = ["latent_plays"]

_DRAWN = 8
"""Components that the line moves; the others stay at their mean."""

_WIDTH = 1.5
"""Of the line, in standard deviations of the phrases."""


def latent_plays(components: Mapping[str, Tensor]) -> tuple[LatentPlay, ...]:
    """The two ways, measured by the phrases.

    Args:
        components: principal components of ``violin`` and ``piano``, ``[1, n, frames]``.
    """
    together = torch.cat(list(components.values()), -1)[0, :_DRAWN]
    widths = [round(_WIDTH * value, 2) for value in together.std(-1).tolist()]
    centre = [round(value, 2) for value in together.mean(-1).tolist()]
    frames = components["violin"].shape[-1]
    return (
        LatentPlay(
            "violin into piano",
            "An interpolation. The latents of the violin turn into those of the piano, in a straight line "
            "that begins after a sixth of the phrase and ends a sixth before its end. Nothing is bent: the "
            "first phrase dissolves into the second, and nobody ever played what lies between.",
            lambda phrases: _into(phrases["violin"], phrases["piano"]),
            _MORPH,
            like="violin",
        ),
        LatentPlay(
            "drawn line",
            f"A latent path. The first {_DRAWN} principal components follow a line that was drawn, not "
            "played: cosines, each a little further than the one before. No sound went in. One tone circles "
            "through what the model knows, again and again, and never stands still.",
            lambda phrases: _drawn(frames, widths, centre),
            _PATH.format(frames=frames, drawn=_DRAWN, widths=widths, centre=centre),
        ),
    )


def _into(a: Tensor, b: Tensor) -> Tensor:
    curve = torch.linspace(-0.25, 1.25, a.shape[-1]).clamp(0, 1)
    return morph(a, b, curve)


def _drawn(frames: int, widths: list[float], centre: list[float]) -> Tensor:
    path = spherical_path(len(widths), frames, turns=4, spread=1.5)
    return scale_and_bias(path, widths, centre)


_MORPH = """\
\"\"\"The latents of the violin turn into those of the piano. Run it in the folder of the page.\"\"\"

import torch
import torchbend as tb
from torchbend.rave.latents import morph

sax = tb.BendedRAVE("sax")
violin = sax.encode("violin-original.wav", postprocess=True)
piano = sax.encode("piano-original.wav", postprocess=True)
curve = torch.linspace(-0.25, 1.25, violin.shape[-1]).clamp(0, 1)
out = sax.decode(morph(violin, piano, curve), preprocess=True)
sax.write_audio("violin-into-piano-again.wav", out)
"""

_PATH = """\
\"\"\"A line that was drawn through the principal components. No sound goes in.\"\"\"

import torchbend as tb
from torchbend.rave.latents import scale_and_bias, spherical_path

sax = tb.BendedRAVE("sax")
path = spherical_path({drawn}, {frames}, turns=4, spread=1.5)
path = scale_and_bias(
    path,
    {widths},
    {centre},
)
out = sax.decode(path, preprocess=True)
sax.write_audio("drawn-line-again.wav", out)
"""
