"""MusicGen and AudioGen, bent: on transformers, not on audiocraft."""

from torchbend.interfaces.audiocraft.audiogen import BendedAudioGen
from torchbend.interfaces.audiocraft.musicgen import BendedMusicGen
from torchbend.interfaces.audiocraft.tiny import tiny_model
from torchbend.interfaces.schedule import Curve

__all__ = ["BendedAudioGen", "BendedMusicGen", "Curve", "tiny_model"]
