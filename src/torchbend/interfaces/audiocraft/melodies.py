"""Melodies that a generation follows: sounds, turned into pitch classes window by window."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from torchbend.errors import GenerationError
from torchbend.interfaces.audiocraft.chroma import Chroma
from torchbend.interfaces.audiocraft.prompts import as_audio

__all__ = ["Melodies", "MelodySounds", "as_melodies"]

Sound: TypeAlias = Tensor | str | os.PathLike[str]
MelodySounds: TypeAlias = Sound | Sequence[Sound | None]


@dataclass(frozen=True)
class Melodies:
    """A melody for each prompt.

    Attributes:
        sounds: each of shape ``[T]``; None: no melody.
        sample_rate: of them, in Hz.
        chroma: how the model hears them.
    """

    sounds: list[Tensor | None]
    sample_rate: int
    chroma: Chroma

    def heard(self, begin: float = 0.0, seconds: float | None = None) -> Tensor:
        """What the model hears of them, shape ``[prompts, chroma.frames, chroma.bins]``.

        Args:
            begin: in seconds; a melody that has ended begins anew.
            seconds: how much of the sound is heard; None: all of it, then its pitch classes are repeated.
        """
        rows = []
        for sound in self.sounds:
            if sound is None:
                rows.append(self.chroma.none(1, torch.device("cpu")))
                continue
            if seconds is not None:
                first, count = int(begin * self.sample_rate), int(seconds * self.sample_rate)
                sound = sound[torch.arange(first, first + count) % len(sound)]
            rows.append(self.chroma.fitted(self.chroma.melody(sound[None], self.sample_rate)))
        return torch.cat(rows)


def as_melodies(
    given: Any, sample_rate: int | None, wanted_rate: int, chroma: Chroma, count: int
) -> Melodies:
    """A melody for each of ``count`` prompts; one alone is for all of them.

    Args:
        given: a tensor of shape ``[B, C, T]``, ``[C, T]`` or ``[T]``, or a sound file; or a list of such,
            None in it for no melody.
        sample_rate: of tensors, in Hz; files know their own.
        wanted_rate: of the model.
        chroma: how it hears melodies.

    Raises:
        GenerationError: something is no sound, is too short, or there are more or fewer of them.
        AudioFileError: a file cannot be read.
    """
    held = list(given) if isinstance(given, list | tuple) else [given]
    sounds: list[Tensor | None] = []
    for one in held:
        if one is None and one is not given:
            sounds.append(None)
            continue
        read = as_audio(one, sample_rate, wanted_rate, 1, site="melody_wavs", rate_site="melody_sample_rate")
        sounds.extend(read[:, 0])
    if len(sounds) == 1:
        sounds = sounds * count
    if len(sounds) != count:
        raise GenerationError(
            "each text needs a melody",
            site="melody_wavs",
            wanted=f"{count}, or one for all",
            got=f"{len(sounds)}",
            next_step="give a list of sounds, None in it for a text without a melody",
        )
    return Melodies(sounds, wanted_rate, chroma)
