"""Small audio networks in plain PyTorch: synthesisers, vocoders, streaming convolutions, spectral heads."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations


class Joseph(nn.Module):
    """The additive synthesiser of the documents. Shape: t [B, T], in seconds -> wave [B, T]."""

    def __init__(self, f0: int, n_partials: int) -> None:
        super().__init__()
        self.f0 = nn.Parameter(torch.full((1, 1, 1), f0), requires_grad=False)
        self.f_mult = nn.Parameter(torch.arange(1, n_partials + 1).unsqueeze(-1), requires_grad=False)
        self.amps = nn.Parameter(torch.ones(1, n_partials, 1), requires_grad=False)

    def forward(self, t: Tensor) -> Tensor:
        t = t.unsqueeze(-2)
        freqs = self.f0 * self.f_mult
        waves = torch.sin(2 * torch.pi * freqs * t)
        waves = waves * F.softmax(self.amps, dim=-2)
        return waves.sum(-2)


class WaveNet(nn.Module):
    """Gated dilated causal convolutions with skips. Shape: x [B, 1, T] -> [B, 1, T]."""

    def __init__(self, channels: int = 8, dilations: tuple[int, ...] = (1, 2, 4, 8)) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, channels, 1)
        self.gates = nn.ModuleList(nn.Conv1d(channels, 2 * channels, 2, dilation=d) for d in dilations)
        self.mixes = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in dilations)
        self.last = nn.Conv1d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        skips = []
        for gate, mix in zip(self.gates, self.mixes, strict=True):
            left, right = gate(F.pad(x, (gate.dilation[0], 0))).chunk(2, dim=1)
            y = mix(left.tanh() * right.sigmoid())
            x = x + y
            skips.append(y)
        return self.last(F.relu(sum(skips)))


def old_weight_norm(layer: nn.Module) -> nn.Module:
    """The hook-based weight norm, which current PyTorch warns about and older checkpoints need."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(layer)


class Vocoder(nn.Module):
    """A HiFi-GAN-like generator. Shape: mel [B, 16, T] -> wave [B, 1, 16 T].

    Args:
        norm: puts weight norm on a layer: `old_weight_norm`, or the parametrized one.
    """

    def __init__(self, norm: Callable[[nn.Module], nn.Module]) -> None:
        super().__init__()
        self.first = norm(nn.Conv1d(16, 32, 7, padding=3))
        self.ups = nn.ModuleList(norm(nn.ConvTranspose1d(32 >> i, 16 >> i, 8, 4, 2)) for i in range(2))
        self.blocks = nn.ModuleList(
            nn.ModuleList(norm(nn.Conv1d(16 >> i, 16 >> i, 3, dilation=d, padding=d)) for d in (1, 3))
            for i in range(2)
        )
        self.last = norm(nn.Conv1d(8, 1, 7, padding=3))

    def forward(self, mel: Tensor) -> Tensor:
        x = self.first(mel)
        for up, block in zip(self.ups, self.blocks, strict=True):
            x = up(F.leaky_relu(x, 0.1))
            for layer in block:
                x = x + layer(F.leaky_relu(x, 0.1))
        return torch.tanh(self.last(F.leaky_relu(x)))


def vocoder_with_old_norm() -> nn.Module:
    return Vocoder(old_weight_norm)


def vocoder_with_parametrized_norm() -> nn.Module:
    return Vocoder(parametrizations.weight_norm)


class SpectralHead(nn.Module):
    """Predicts magnitude and phase, then an inverse STFT (as Vocos does).

    Shape: mel [B, 16, T] -> [B, 16 (T - 1)].
    """

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.size = size
        self.body = nn.Conv1d(16, 32, 3, padding=1)
        self.head = nn.Conv1d(32, size + 2, 1)
        self.register_buffer("window", torch.hann_window(size))

    def forward(self, mel: Tensor) -> Tensor:
        log_magnitude, phase = self.head(F.gelu(self.body(mel))).chunk(2, dim=1)
        spectrum = log_magnitude.exp().clamp(max=100.0) * (torch.cos(phase) + 1j * torch.sin(phase))
        return torch.istft(spectrum, self.size, self.size // 4, window=self.window)


class SpectralMask(nn.Module):
    """Masks an STFT by a complex mask. Shape: wave [B, T] -> [B, T], T a multiple of 16."""

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("window", torch.hann_window(size))
        self.net = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, wave: Tensor) -> Tensor:
        settings = {"n_fft": self.size, "hop_length": self.size // 4, "window": self.window}
        spectrum = torch.stft(wave, return_complex=True, **settings)
        parts = torch.view_as_real(spectrum).permute(0, 3, 1, 2)
        mask = torch.view_as_complex(torch.tanh(self.net(parts)).permute(0, 2, 3, 1).contiguous())
        return torch.istft(
            spectrum * mask * torch.polar(torch.ones(()), torch.ones(())), length=wave.shape[-1], **settings
        )


class StreamingConv(nn.Module):
    """A causal convolution that keeps the end of the last block in a buffer.

    Shape: x [1, 4, T] -> [1, 4, T].
    """

    def __init__(self, kernel: int = 5) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 4, kernel)
        self.register_buffer("past", torch.randn(1, 4, kernel - 1))

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([self.past, x], dim=-1)
        self.past.copy_(joined[..., -self.past.shape[-1] :])
        return self.conv(joined)


class StreamingStack(nn.Module):
    """Two streaming convolutions, and a buffer that is assigned anew. Shape: x [1, 4, T] -> [1, 4, T]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([StreamingConv(3), StreamingConv(5)])
        self.register_buffer("level", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        self.level += 0.1 * (x.abs().mean() - self.level)
        return x / (1 + self.level)


class HarmonicPlusNoise(nn.Module):
    """A DDSP-like decoder: harmonics plus filtered noise. Shape: f0, loudness [B, T, 1] -> wave [B, 32 T]."""

    def __init__(self, block: int = 32, rate: int = 16000) -> None:
        super().__init__()
        self.block, self.rate = block, rate
        self.rnn = nn.GRU(2, 16, batch_first=True)
        self.harmonics = nn.Linear(16, 8)
        self.bands = nn.Linear(16, 9)

    def forward(self, f0: Tensor, loudness: Tensor) -> Tensor:
        hidden, _ = self.rnn(torch.cat([f0 / 1000, loudness], dim=-1))
        amplitudes = F.softplus(self.harmonics(hidden))
        pitch = f0.repeat_interleave(self.block, dim=1)
        phase = torch.cumsum(2 * math.pi * pitch / self.rate, dim=1) * torch.arange(1, 9)
        tone = (torch.sin(phase) * amplitudes.repeat_interleave(self.block, dim=1)).sum(-1)
        impulse = torch.fft.irfft(torch.sigmoid(self.bands(hidden)))
        grain = torch.rand(*hidden.shape[:2], self.block) * 2 - 1
        spectrum = torch.fft.rfft(grain) * torch.fft.rfft(impulse, n=self.block)
        return tone + 0.1 * torch.fft.irfft(spectrum, n=self.block).flatten(1)
