"""MusicGen and AudioGen, bent: on transformers, not on audiocraft."""

from torchbend.interfaces.audiocraft.audiogen import BendedAudioGen
from torchbend.interfaces.audiocraft.musicgen import BendedMusicGen
from torchbend.interfaces.audiocraft.schedule import Curve

__all__ = ["BendedAudioGen", "BendedMusicGen", "Curve"]
