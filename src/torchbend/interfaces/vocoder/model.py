"""A vocoder: the mel spectrogram that its weights were trained on, and the generator."""

from __future__ import annotations

from torch import Tensor, nn

from torchbend.interfaces.vocoder.generator import Generator
from torchbend.interfaces.vocoder.mel import LogMel

__all__ = ["Vocoder"]


class Vocoder(nn.Module):
    """Sound to mel bands, and mel bands to sound.

    Args:
        analysis: the spectrogram.
        generator: from ``[batch, bands, frames]`` to ``[batch, 1, samples]``.
        sample_rate: in Hz.
        mean, scale: where the generator wants bands around 0: what is taken away of each, and what it is then
            divided by, shape ``[bands]``.

    Shape:
        ``[batch, bands, frames]`` to ``[batch, 1, frames * hop]``.
    """

    mean: Tensor | None
    scale: Tensor | None

    def __init__(
        self,
        analysis: LogMel,
        generator: Generator,
        sample_rate: int = 22050,
        mean: Tensor | None = None,
        scale: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.analysis = analysis
        self.generator = generator
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def mel(self, sound: Tensor) -> Tensor:
        """Shape ``[batch, 1, T]`` to ``[batch, bands, T // hop]``."""
        bands: Tensor = self.analysis(sound)
        return bands

    def decode(self, mel: Tensor) -> Tensor:
        """The sound of mel bands."""
        if self.mean is not None and self.scale is not None:
            mel = (mel - self.mean[:, None]) / self.scale[:, None]
        sound: Tensor = self.generator(mel)
        return sound

    def forward(self, mel: Tensor) -> Tensor:
        """The same as `decode`."""
        return self.decode(mel)
