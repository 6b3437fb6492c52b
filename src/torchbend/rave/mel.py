"""Log-mel frames as the encoder's input, of whole signals or of a stream."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from torchbend.rave.config import MelConfig
from torchbend.rave.streaming import Delay, Leaf, Walk, rows

__all__ = ["MelSpectrogram", "mel_filters"]


def mel_filters(n_fft: int, mels: int, sample_rate: int) -> Tensor:
    """Triangular filters between neighbours on the mel scale ``2595 log10(1 + f / 700)`` (O'Shaughnessy, 1987).

    Args:
        n_fft: length of the transform, in samples.
        mels: number of filters, from 0 Hz to half of the sample rate.
        sample_rate: in Hz.

    Returns:
        Shape ``[n_fft // 2 + 1, mels]``; the largest value of each filter is 1.
    """
    frequencies = torch.linspace(0, sample_rate // 2, n_fft // 2 + 1)
    highest = 2595.0 * math.log10(1.0 + (sample_rate // 2) / 700.0)
    edges = 700.0 * (10.0 ** (torch.linspace(0.0, highest, mels + 2) / 2595.0) - 1.0)
    widths = edges.diff()
    distances = edges[None] - frequencies[:, None]
    rising = -distances[:, :-2] / widths[:-1]
    falling = distances[:, 2:] / widths[1:]
    return torch.minimum(rising, falling).clamp(min=0.0)


class _Window(nn.Module):
    """The window, under the name that checkpoints give it."""

    window: Tensor

    def __init__(self, length: int) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(length))


class _MelScale(nn.Module):
    """The filters, under the name that checkpoints give them."""

    fb: Tensor

    def __init__(self, n_fft: int, mels: int, sample_rate: int) -> None:
        super().__init__()
        self.register_buffer("fb", mel_filters(n_fft, mels, sample_rate))


class MelSpectrogram(Leaf):
    """``log(1 + mel power)`` of each frame; the power is that of a window of unit energy.

    Args:
        config: sizes.
        sample_rate: in Hz.
        channels: of the audio.
    """

    def __init__(self, config: MelConfig, sample_rate: int, channels: int = 1) -> None:
        super().__init__()
        self.n_fft, self.hop, self.mels = config.n_fft, config.hop, config.mels
        self.channels = channels
        self.late = 0
        self.spectrogram = _Window(config.n_fft)
        self.mel_scale = _MelScale(config.n_fft, config.mels, sample_rate)

    @property
    def _ahead(self) -> int:
        """Samples of a frame's window that come after the frame's own."""
        return self.n_fft - self.n_fft // 2 - self.hop

    def _alignment(self, delay: Delay) -> int:
        return -(self._ahead + (delay.told or 0)) % self.hop

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """The original sees each block by itself, mirrored at its ends; here the past goes on."""
        return delay.slower(self.hop) if walk.as_original else walk.leaf(self, delay)

    def after(self, delay: Delay) -> Delay:
        """Later by the second half of the window, at the rate of the frames."""
        return delay.later(self._ahead + self._alignment(delay)).slower(self.hop)

    def past(self, delay: Delay) -> tuple[int, ...] | None:
        """What the next block's windows look back to."""
        self.late = self._alignment(delay)
        return (self.channels, self.n_fft - self.hop + self.late)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, channels, T]`` to ``[B, channels * mels, T / hop]``."""
        batch, cache = x.shape[0], self.cache
        if cache is not None:
            cache = rows(cache, x)
            full = torch.cat([cache, x], -1)
            cache.copy_(full[..., x.shape[-1] :].detach())
            x = full[..., : full.shape[-1] - self.late] if self.late else full
        window = self.spectrogram.window
        spectrum = torch.stft(
            x.reshape(-1, x.shape[-1]),
            self.n_fft,
            self.hop,
            window=window,
            center=cache is None,
            pad_mode="reflect",
            return_complex=True,
        )
        if cache is None:
            spectrum = spectrum[..., :-1]
        power = (spectrum / window.square().sum().sqrt()).abs().square()
        mel = (power.transpose(1, 2) @ self.mel_scale.fb).transpose(1, 2)
        return torch.log1p(mel).reshape(batch, -1, mel.shape[-1])
