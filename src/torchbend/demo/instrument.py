"""What the demonstration needs to know of a model: what it plays, and in which ways it is bent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from torchbend.bending.recipe import BendingConfig
from torchbend.module import BendedModule

__all__ = ["Instrument", "NamedBend", "Sweep", "there_and_back"]


def there_and_back(position: float) -> float:
    """From 0 over 1 in the middle back to 0, softly. ``position`` runs from 0 to 1.

    >>> [round(there_and_back(p), 3) for p in (0.0, 0.25, 0.5, 1.0)]
    [0.0, 0.5, 1.0, 0.0]
    """
    return 0.5 - 0.5 * math.cos(2 * math.pi * position)


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
        return self.name.replace(" ", "-")


@dataclass(frozen=True)
class Instrument:
    """A traced model that makes sound, with its phrases and its bends.

    Attributes:
        title: what it is.
        story: a paragraph on it.
        factory: how the command line names it.
        bended: the model, traced.
        phrases: by name, the input ``[1, channels, samples]``; each step of it gives one sample of sound.
        sample_rate: of input and output, in Hz.
        context: samples of the input on either side of a stretch that its sound depends on; None for all.
        bends: the five ways.
        weights, activations: patterns of what is worth printing.
        input_files: whether the phrases are sounds, and can be given to the command line as files.
    """

    title: str
    story: str
    factory: str
    bended: BendedModule
    phrases: Mapping[str, Tensor]
    sample_rate: int
    context: int | None
    bends: tuple[NamedBend, ...]
    weights: str
    activations: str
    input_files: bool
