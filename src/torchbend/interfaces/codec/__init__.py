"""EnCodec and DAC, bent."""

from torchbend.interfaces.codec.playing import BendedCodec
from torchbend.interfaces.codec.tiny import tiny_codec

__all__ = ["BendedCodec", "tiny_codec"]
