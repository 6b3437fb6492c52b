"""A tiny vocoder of random weights: to try out what can be done, without a download."""

from __future__ import annotations

import torch

from torchbend.interfaces.vocoder.generator import HifiGanSizes
from torchbend.interfaces.vocoder.mel import LogMel
from torchbend.interfaces.vocoder.model import Vocoder
from torchbend.interfaces.vocoder.reading import built

__all__ = ["tiny_vocoder"]


def tiny_vocoder(seed: int = 0) -> Vocoder:
    """A HiFi-GAN with some ten thousand random weights, 22050 Hz, 20 bands, 64 samples a frame.

    Args:
        seed: of its weights.
    """
    sizes = HifiGanSizes(20, 32, (8, 4, 2), (16, 8, 4), (3, 5), ((1, 3), (1, 3)))
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        vocoder = built(sizes, LogMel(22050, 256, sizes.hop, sizes.bands), 22050)
        with torch.no_grad():
            for name, weight in vocoder.generator.named_parameters():
                if name.endswith("weight"):
                    weight.mul_(2.0)  # what goes in comes out about as loud
    return vocoder
