"""EnCodec and DAC, bent."""

from torchbend.interfaces.codec.tiny import tiny_codec
from torchbend.interfaces.codec.verbs import BendedCodec

__all__ = ["BendedCodec", "tiny_codec"]
