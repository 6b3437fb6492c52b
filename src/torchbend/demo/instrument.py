"""What the demonstration needs to know of a model: what it plays, and in which ways it is bent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from torchbend.bending.recipe import BendingConfig
from torchbend.module import BendedModule

__all__ = ["Instrument", "LatentPlay", "LatentSpace", "NamedBend", "StagePlan", "Sweep", "there_and_back"]


def there_and_back(position: float) -> float:
    """From 0 over 1 in the middle back to 0, softly. ``position`` runs from 0 to 1.

    >>> [round(there_and_back(p), 3) for p in (0.0, 0.25, 0.5, 1.0)]
    [0.0, 0.5, 1.0, 0.0]
    """
    return 0.5 - 0.5 * math.cos(2 * math.pi * position)


def _slug(name: str) -> str:
    return name.replace(" ", "-")


@dataclass(frozen=True)
class Sweep:
    """A control that is turned while the model plays.

    Attributes:
        control: its name in the recipe.
        curve: from the position in the phrase, 0 to 1, to the control's value.
        words: what the curve does, for readers.
    """

    control: str
    curve: Callable[[float], float]
    words: str


@dataclass(frozen=True)
class NamedBend:
    """One way to bend an instrument.

    Attributes:
        name: as people call it.
        note: what is done and what is heard, in a sentence or two.
        recipe: the bends.
        sweep: a control to be turned, if any.
    """

    name: str
    note: str
    recipe: BendingConfig
    sweep: Sweep | None = None

    @property
    def slug(self) -> str:
        """The name as part of a file's name."""
        return _slug(self.name)


@dataclass(frozen=True)
class LatentPlay:
    """One way to play a decoder that is not bent: by latents that no sound gave.

    Attributes:
        name: as people call it.
        note: what is done and what is heard, in a sentence or two.
        latents: from the principal components of each phrase, ``[1, n, frames]``, to those that are played.
        script: a Python program that does the same, beginning from the files of the page's folder.
        like: the phrase whose unbent sound is shown beside; None: there is none to compare with.
    """

    name: str
    note: str
    latents: Callable[[Mapping[str, Tensor]], Tensor]
    script: str
    like: str | None = None

    @property
    def slug(self) -> str:
        """The name as part of a file's name."""
        return _slug(self.name)


@dataclass(frozen=True)
class LatentSpace:
    """The latents of an instrument that has an encoder and a decoder.

    Attributes:
        phrases: the principal components of each phrase, ``[1, n, frames]``, the most telling first.
        fidelity: the share of the variance that the first 1, 2, ... components hold, ``[n]``.
        decode: from components ``[1, up to n, frames]`` to sound.
        frame_seconds: how long a frame lasts.
        plays: ways to play the decoder.
    """

    phrases: Mapping[str, Tensor]
    fidelity: Tensor
    decode: Callable[[Tensor], Tensor]
    frame_seconds: float
    plays: tuple[LatentPlay, ...]


@dataclass(frozen=True)
class StagePlan:
    """How an instrument is exported for Max and Pure Data.

    Attributes:
        bends: what is bent, all together; their controls are live in the file.
        latents: how many principal components are inlets of ``decode``.
    """

    bends: tuple[NamedBend, ...]
    latents: int


@dataclass(frozen=True)
class Instrument:
    """A traced model that makes sound, with its phrases and its bends.

    Attributes:
        slug: a short name, for files.
        title: what it is.
        story: a paragraph on it.
        bended: the model, traced.
        phrases: by name, the input ``[1, channels, samples]``; each step of it gives one sample of sound.
        sample_rate: of input and output, in Hz.
        context: samples of the input on either side of a stretch that its sound depends on; None for all.
        bends: the ways to bend it.
        probes: by method, a short input; what is looked at are weights and the activations of these methods.
        weights, activations: patterns of what is worth printing, the latter of the last method of ``probes``.
        input_files: whether the phrases are sounds, and can be given to the command line as files.
        program: the first bend in Python, from the files of the page's folder.
        commands: the same on the command line.
        latents: where there is an encoder and a decoder.
        stage: where it can be exported for the stage.
    """

    slug: str
    title: str
    story: str
    bended: BendedModule
    phrases: Mapping[str, Tensor]
    sample_rate: int
    context: int | None
    bends: tuple[NamedBend, ...]
    probes: Mapping[str, Tensor]
    weights: str
    activations: str
    input_files: bool
    program: str
    commands: str
    latents: LatentSpace | None = None
    stage: StagePlan | None = None

    @property
    def plain_word(self) -> str:
        """What the unbent model's sound is called."""
        return "reconstruction" if self.input_files else "original"

    @property
    def plays(self) -> tuple[LatentPlay, ...]:
        """Ways to play its decoder; none where it has no latents."""
        return () if self.latents is None else self.latents.plays

    @property
    def way_count(self) -> int:
        """In how many ways it is bent or played."""
        return len(self.bends) + len(self.plays)

    def input_path(self, phrase: str) -> str:
        """Where the input of a phrase is written, seen from the folder of the page."""
        return f"{phrase}-original.wav" if self.input_files else f"inputs/{phrase}.safetensors"
