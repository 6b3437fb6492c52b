"""HiFi-GAN vocoders, bent."""

from torchbend.interfaces.vocoder.playing import BendedVocoder
from torchbend.interfaces.vocoder.tiny import tiny_vocoder

__all__ = ["BendedVocoder", "tiny_vocoder"]
