"""Mel spectrograms, as numbers and as pictures."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from torchbend.errors import TorchbendError
from torchbend.plots.mel import mel_filterbank
from torchbend.plots.png import indexed_png

__all__ = ["log_mel", "mono", "spectrogram_png"]

_FLOOR = 1e-12
"""Power at which the logarithm ends: -120 dB."""


def log_mel(x: Tensor, sample_rate: float, n_fft: int = 2048, hop: int = 512, n_mels: int = 128) -> Tensor:
    """Power in mel bands, in dB: a sine of full scale has 0 dB in all its bands together.

    The mel scale is Slaney's (see :func:`torchbend.plots.mel.hz_to_mel`), with triangles of height 1: since
    neighbours add up to 1, the bands share the power between them. Frames are centred, the signal is
    continued with zeros, and the window is Hann's.

    Args:
        x: floating point samples.
        sample_rate: in Hz, above 0.
        n_fft: length of a frame in samples, 2 or more.
        hop: distance of frames in samples, 1 or more.
        n_mels: number of bands, 1 or more.

    Shape:
        ``[*, T]`` with T >= 1 to ``[*, n_mels, T // hop + 1]``.

    Returns:
        Decibels, -120 or more.

    Raises:
        TorchbendError: an argument is out of its range.

    >>> log_mel(torch.zeros(2, 44100), 44100).shape
    torch.Size([2, 128, 87])
    """
    if not x.is_floating_point() or x.dim() == 0 or x.shape[-1] == 0 or hop < 1:
        raise TorchbendError(
            "no spectrogram of this",
            site="log_mel",
            wanted="floating point samples [*, T] with T >= 1, and hop >= 1",
            got=f"{x.dtype} {list(x.shape)}, hop={hop}",
        )
    bank = mel_filterbank(sample_rate, n_fft, n_mels).to(x.device)
    window = torch.hann_window(n_fft, device=x.device)
    flat = x.detach().float().reshape(-1, x.shape[-1])
    spectrum = torch.stft(flat, n_fft, hop, window=window, pad_mode="constant", return_complex=True)
    # Parseval: with this factor the bins of a sine of amplitude 1 add up to 1.
    power = spectrum.abs().square() * (4 / (n_fft * window.square().sum()))
    bands = (bank @ power).clamp_min(_FLOOR).log10() * 10
    return bands.reshape(*x.shape[:-1], *bands.shape[-2:])


def mono(x: Tensor) -> Tensor:
    """The mean of all channels, as float32 on the CPU: ``[*, T]`` to ``[T]``, T >= 1.

    Raises:
        TorchbendError: ``x`` is not floating point or holds no sample.
    """
    if not x.is_floating_point() or x.dim() == 0 or x.numel() == 0:
        raise TorchbendError(
            "there is no sound to draw",
            wanted="floating point samples [*, T], T >= 1",
            got=f"{x.dtype} {list(x.shape)}",
        )
    return x.detach().cpu().float().reshape(-1, x.shape[-1]).mean(0)


def spectrogram_png(
    x: Tensor,
    sample_rate: float,
    width: int = 640,
    height: int = 160,
    low_db: float = -85.0,
    high_db: float = -15.0,
) -> bytes:
    """A mel spectrogram as a PNG; time runs to the right, frequency upwards.

    The colours stand for the same levels in every picture, so that two can be compared.

    Args:
        x: floating point samples; channels are averaged, values that are not finite are drawn as silence.
        sample_rate: in Hz, above 0.
        width: in pixels, 1 or more.
        height: in pixels, 1 or more.
        low_db: level of a band, in dB, drawn in the darkest colour.
        high_db: level drawn in the brightest colour, above ``low_db``.

    Shape:
        ``[*, T]`` with T >= 1.

    Returns:
        The bytes of the file.

    Raises:
        TorchbendError: an argument is out of its range.
    """
    if width < 1 or height < 1 or not low_db < high_db:
        raise TorchbendError(
            "no picture of this size",
            site="spectrogram_png",
            wanted="width >= 1, height >= 1, low_db < high_db",
            got=f"width={width}, height={height}, low_db={low_db}, high_db={high_db}",
        )
    samples = mono(x).nan_to_num(0, 0, 0)
    hop = max(1, samples.shape[-1] // width)
    n_fft = 2048 if sample_rate >= 32000 else 1024
    levels = log_mel(samples, sample_rate, n_fft, hop, n_mels=min(height, 128))
    picture = torch.nn.functional.interpolate(
        levels[None, None], size=(height, width), mode="bilinear", align_corners=False
    )[0, 0]
    indices = ((picture - low_db) / (high_db - low_db) * 255).clamp(0, 255).round()
    return indexed_png(np.ascontiguousarray(indices.to(torch.uint8).numpy()[::-1]))
