"""The two phrases of sound that come with the package."""

from __future__ import annotations

from importlib.resources import as_file, files

import torch
from torch import Tensor

from torchbend.audio import read_audio

__all__ = ["PHRASES", "phrase"]

PHRASES = ("violin", "piano")

_FADE_SECONDS = 0.2


def phrase(name: str, sample_rate: int, seconds: float, multiple: int = 1) -> Tensor:
    """The beginning of a phrase, with a short fade at its end.

    Args:
        name: one of `PHRASES`.
        sample_rate: in Hz.
        seconds: how much of it, at most 8.
        multiple: the length is cut to a multiple of so many samples.

    Returns:
        Shape ``[1, 1, samples]``.
    """
    with as_file(files("torchbend") / "demo_data" / f"{name}.wav") as path:
        sound, rate = read_audio(path, sample_rate, mono=True, duration=seconds)
    sound = sound[:, : sound.shape[-1] // multiple * multiple]
    fade = min(round(_FADE_SECONDS * rate), sound.shape[-1])
    sound[:, -fade:] *= torch.linspace(1, 0, fade)
    return sound[None]
