"""Magnitude spectrograms at several resolutions."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.errors import RAVEConfigError, ShapeError

__all__ = ["STFT", "MultiScaleSTFT"]


class STFT(nn.Module):
    """The magnitudes of a centred short-time Fourier transform; a signal is reflected at its ends.

    Args:
        size: of window and transform, in samples, a multiple of 4; the hop is a quarter.

    Raises:
        RAVEConfigError: the size is no multiple of 4.
    """

    window: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 4 or size % 4:
            raise RAVEConfigError("a window without a hop", site="scales", wanted="a multiple of 4", got=size)
        self.size = size
        self.register_buffer("window", torch.hann_window(size))

    def forward(self, x: Tensor) -> Tensor:
        """Each channel as a signal of its own.

        Shape: ``[B, C, T]`` to ``[B * C, size / 2 + 1, 1 + T // (size / 4)]``.

        Raises:
            ShapeError: the signal is no longer than half a window, or is not ``[B, C, T]``.
        """
        return self.spectrum(x).abs().transpose(1, 2)

    def spectrum(self, x: Tensor) -> Tensor:
        """The complex spectrum, shape ``[B * C, frames, frequencies]``.

        Raises:
            ShapeError: the signal is no longer than half a window, or is not ``[B, C, T]``.
        """
        if x.dim() != 3 or x.shape[-1] <= self.size // 2:
            raise ShapeError(
                "The spectral distance cannot take that signal",
                site=f"window of {self.size} samples",
                wanted=f"[batch, channels, more than {self.size // 2} samples]",
                got=tuple(x.shape),
                next_step="give longer audio; what is cut away around a valid signal counts too",
            )
        half = self.size // 2
        reflected = F.pad(x.flatten(0, 1), (half, half), mode="reflect")
        spectrum: Tensor = torch.fft.rfft(reflected.unfold(-1, self.size, self.size // 4) * self.window)
        return spectrum

    def gradient(self, spectrum: Tensor, magnitudes: Tensor, slope: Tensor, shape: torch.Size) -> Tensor:
        """What a slope for each magnitude means for the signal.

        Args:
            spectrum: of the signal; it is overwritten.
            magnitudes: of the spectrum.
            slope: of their shape; it is overwritten.
            shape: of the signal, ``[B, C, T]``.
        """
        size, hop, half = self.size, self.size // 4, self.size // 2
        slope = torch.where(magnitudes > 0, slope.div_(magnitudes), 0.0)
        slope[..., 1:half] *= 0.5  # these count twice in the inverse transform of a real signal
        frames = torch.fft.irfft(spectrum.mul_(slope), size, norm="forward").mul_(self.window)
        rows, count = frames.shape[:2]
        pieces = frames.view(rows, count, 4, hop)
        long = frames.new_zeros(rows, count + 3, hop)
        for piece in range(4):
            long[:, piece : piece + count] += pieces[:, :, piece]
        long = F.pad(long.flatten(1), (0, shape[-1] + size - (count + 3) * hop))
        inner = long[:, half:-half].clone()
        inner[:, 1 : half + 1] += long[:, :half].flip(-1)
        inner[:, -half - 1 : -1] += long[:, -half:].flip(-1)
        return inner.view(shape)


class MultiScaleSTFT(nn.Module):
    """One `STFT` for each size.

    Args:
        sizes: of the windows, in samples.
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes = sizes
        self.stfts = nn.ModuleList(STFT(size) for size in sizes)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Shape ``[B, C, T]`` to a list of ``[B * C, frequencies, frames]``.

        Raises:
            ShapeError: the signal is too short for the longest window.
        """
        return [stft(x) for stft in self.transforms()]

    def transforms(self) -> Iterator[STFT]:
        """The transforms, in the order of their sizes."""
        for stft in self.stfts:
            if isinstance(stft, STFT):
                yield stft
