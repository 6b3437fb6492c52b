"""AudioGen: words to the sounds of things."""

from __future__ import annotations

from typing import ClassVar

from torchbend.interfaces.audiocraft.sampling import GenerationParams
from torchbend.interfaces.audiocraft.verbs import BendedAudiocraft

__all__ = ["BendedAudioGen"]


class BendedAudioGen(BendedAudiocraft):
    """AudioGen, bent: ``BendedAudioGen("facebook/audiogen-medium").generate(["a dog barks"])``.

    Arguments and errors are those of `AudiocraftInterface`. It hears ten seconds at once.
    """

    kind = "audiogen"
    default_params: ClassVar[GenerationParams] = GenerationParams(duration=10.0, extend_stride=2.0)
    default_longest: ClassVar[float] = 10.0
