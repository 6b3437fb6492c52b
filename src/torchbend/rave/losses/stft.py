"""Magnitude spectrograms at several resolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
        if x.dim() != 3 or x.shape[-1] <= self.size // 2:
            raise ShapeError(
                "The spectral distance cannot take that signal",
                site=f"window of {self.size} samples",
                wanted=f"[batch, channels, more than {self.size // 2} samples]",
                got=tuple(x.shape),
                next_step="give longer audio; what is cut away around a valid signal counts too",
            )
        spectrum = torch.stft(
            x.flatten(0, 1), self.size, self.size // 4, window=self.window, return_complex=True
        )
        return spectrum.abs()


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
        return [stft(x) for stft in self.stfts]
