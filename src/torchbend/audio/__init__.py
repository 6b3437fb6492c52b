"""Reading, writing and resampling sound."""

from torchbend.audio.files import read_audio, write_audio
from torchbend.audio.resample import resample

__all__ = ["read_audio", "resample", "write_audio"]
