"""A log-mel spectrogram as an encoder's input, of whole signals or of a stream.

A frame stands around its time. In a stream it has to wait for its right half: with frames of eight hops, as
usual, for three hops.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from torchbend.errors import RAVEConfigError, ShapeError
from torchbend.rave.config import MelConfig
from torchbend.rave.streaming import Delay, Leaf, Walk, rows

__all__ = ["MelSpectrogram", "mel_filters"]


def _to_mel(frequency: float) -> float:
    """O'Shaughnessy's formula, which HTK takes: Hz to mel."""
    return 2595.0 * math.log10(1.0 + frequency / 700.0)


def mel_filters(n_fft: int, mels: int, sampling_rate: int) -> Tensor:
    """Triangles that are equally spaced on the mel scale, of height one.

    Args:
        n_fft: length of the transform, in samples.
        mels: number of filters.
        sampling_rate: in Hz.

    Returns:
        Shape ``[n_fft // 2 + 1, mels]``. A filter narrower than the distance of two bins may hold none.
    """
    top = sampling_rate // 2
    bins = torch.linspace(0, top, n_fft // 2 + 1)
    corners = 700.0 * (10.0 ** (torch.linspace(0.0, _to_mel(float(top)), mels + 2) / 2595.0) - 1.0)
    widths = corners.diff()
    distance = corners.unsqueeze(0) - bins.unsqueeze(1)
    rising, falling = -distance[:, :-2] / widths[:-1], distance[:, 2:] / widths[1:]
    return torch.minimum(rising, falling).clamp_min(0)


class _Window(nn.Module):
    """The window, under the name that checkpoints give it."""

    window: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(size))


class _Filters(nn.Module):
    """The filters, under the name that checkpoints give them."""

    fb: Tensor

    def __init__(self, filters: Tensor) -> None:
        super().__init__()
        self.register_buffer("fb", filters)


class MelSpectrogram(Leaf):
    """The logarithm of one plus the energy in each mel band.

    Offline the ends of the signal are reflected. A stream starts with silence before it, and its frames are
    the offline ones, late; the original's stream takes each block as a whole signal, so that frames at its
    ends are wrong.

    Args:
        config: its sizes.
        sampling_rate: in Hz.
        channels: of the audio.

    Raises:
        RAVEConfigError: a size is not positive, or the hop is longer than a frame.
    """

    def __init__(self, config: MelConfig, sampling_rate: int, channels: int = 1) -> None:
        super().__init__()
        if not 0 < config.hop <= config.n_fft or config.mels < 1:
            raise RAVEConfigError(
                "no spectrogram has these sizes",
                site="mel",
                wanted="mels > 0 and 0 < hop <= n_fft",
                got=f"n_fft={config.n_fft}, hop={config.hop}, mels={config.mels}",
            )
        self.n_fft, self.hop, self.mels, self.channels = config.n_fft, config.hop, config.mels, channels
        self.spectrogram = _Window(config.n_fft)
        self.mel_scale = _Filters(mel_filters(config.n_fft, config.mels, sampling_rate))

    def forward(self, x: Tensor) -> Tensor:
        """Log-mel frames.

        Args:
            x: audio, shape ``[B, C, T]``; offline longer than half a frame, in a stream whole hops.

        Returns:
            Shape ``[B, C * mels, T / hop]``: all bands of one channel, then those of the next.

        Raises:
            ShapeError: the signal is too short, or has another number of dimensions or channels.
            StreamError: the batch is larger than the stream was opened for.
        """
        self._check(x)
        frames = x.shape[-1] // self.hop
        if self.cache is None:
            side = self.n_fft // 2
            x = nn.functional.pad(x, (side, side), mode="reflect")
        else:
            cache = rows(self.cache, x)
            full = torch.cat([cache, x], -1)
            cache.copy_(full[..., x.shape[-1] :].detach())
            x = full
        energy = self._energy(x.flatten(0, 1))[..., :frames]
        mel = energy.transpose(1, 2) @ self.mel_scale.fb
        return torch.log1p(mel).transpose(1, 2).reshape(x.shape[0], -1, frames)

    def _energy(self, x: Tensor) -> Tensor:
        """Shape ``[B * C, T]`` to ``[B * C, n_fft // 2 + 1, frames]``, a frame each hop."""
        window = self.spectrogram.window
        spectrum = torch.stft(x, self.n_fft, self.hop, window=window, center=False, return_complex=True)
        return (spectrum / window.square().sum().sqrt()).abs().square()

    def _check(self, x: Tensor) -> None:
        shortest = self.n_fft // 2 + 1 if self.cache is None else self.hop
        if x.dim() != 3 or x.shape[1] != self.channels or x.shape[-1] < shortest:
            raise ShapeError(
                "there is no spectrogram of this signal",
                site="spectrogram",
                wanted=f"[batch, {self.channels}, time], time at least {shortest}",
                got=list(x.shape),
                next_step="add silence, or take longer blocks",
            )

    # -- streams ---------------------------------------------------------------------------------------------

    def _ahead(self, delay: Delay) -> int:
        """Samples to wait: what a frame holds beyond its hop, and what takes it to whole frames."""
        ahead = max(self.n_fft - self.n_fft // 2 - self.hop, 0)
        return ahead + -(ahead + (delay.told or 0)) % self.hop

    def after(self, delay: Delay) -> Delay:
        """Later by the look-ahead, at the rate of frames."""
        return delay.later(self._ahead(delay)).slower(self.hop)

    def past(self, delay: Delay) -> tuple[int, ...] | None:
        """All samples that the next block's frames look back to."""
        return (self.channels, self.n_fft // 2 + self._ahead(delay))

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` from audio to frames; the original keeps no past and is not late."""
        return delay.slower(self.hop) if walk.as_original else walk.leaf(self, delay)
