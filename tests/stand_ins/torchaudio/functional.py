"""Functions on waveforms."""

from __future__ import annotations

from torch import Tensor

from torchbend import audio

__all__ = ["resample"]


def resample(waveform: Tensor, orig_freq: int, new_freq: int) -> Tensor:
    """The waveform at another sample rate; shape ``[..., T]``, rates in Hz."""
    return audio.resample(waveform, orig_freq, new_freq)
