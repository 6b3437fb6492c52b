"""The mel spectrogram that HiFi-GAN was trained on."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from torchbend.errors import TorchbendError
from torchbend.plots import hz_to_mel, mel_to_hz

__all__ = ["LogMel"]


class LogMel(nn.Module):
    """Logarithm of the magnitude in mel bands, as in HiFi-GAN (Kong, Kim and Bae 2020) and its weights.

    Frames of a Hann window every ``hop`` samples, the sound continued by reflection so that T samples give
    T / hop frames; triangles of equal area on Slaney's mel scale; natural logarithm, of at least 1e-5.

    Args:
        sample_rate: in Hz, above 0.
        n_fft: length of a frame in samples.
        hop: distance of frames in samples.
        n_mels: number of bands.
        low, high: the lowest and the highest frequency in Hz.
        floor: magnitude at which the logarithm ends, above 0.
        decimal: the logarithm to the base of 10, as SpeechT5 takes it.
        centred: the first frame is centred on the first sample, not on the middle of the first hop.

    Shape:
        ``[batch, 1, T]`` with T > n_fft / 2 to ``[batch, n_mels, T // hop]``.
    """

    bank: Tensor
    window: Tensor

    def __init__(
        self,
        sample_rate: int = 22050,
        n_fft: int = 1024,
        hop: int = 256,
        n_mels: int = 80,
        low: float = 0.0,
        high: float = 8000.0,
        *,
        floor: float = 1e-5,
        decimal: bool = False,
        centred: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= low < high <= sample_rate / 2:
            raise TorchbendError(
                "no mel bands for this",
                wanted=f"0 <= low < high <= {sample_rate / 2} Hz",
                got=f"{low}, {high}",
            )
        self.n_fft, self.hop, self.n_mels = n_fft, hop, n_mels
        self.floor, self.decimal = floor, decimal
        self.left = n_fft // 2 if centred else (n_fft - hop) // 2
        self.right = n_fft - hop - self.left
        self.register_buffer("bank", _bank(sample_rate, n_fft, n_mels, low, high), persistent=False)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, sound: Tensor) -> Tensor:
        """The spectrogram of a sound."""
        padded = functional.pad(sound, (self.left, self.right), mode="reflect").squeeze(1)
        spectrum = torch.stft(
            padded, self.n_fft, self.hop, window=self.window, center=False, return_complex=True
        )
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()
        bands = (self.bank @ magnitude).clamp_min(self.floor)
        return bands.log10() if self.decimal else bands.log()


def _bank(sample_rate: int, n_fft: int, n_mels: int, low: float, high: float) -> Tensor:
    """Triangles whose area is 1 (over frequency in Hz): ``[n_mels, n_fft // 2 + 1]``."""
    bins = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    ends = hz_to_mel(torch.tensor([low, high], dtype=torch.float64)).tolist()
    edges = mel_to_hz(torch.linspace(ends[0], ends[1], n_mels + 2, dtype=torch.float64))
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = torch.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)).clamp_min(0)
    return (triangles * 2 / (right - left)).float()
