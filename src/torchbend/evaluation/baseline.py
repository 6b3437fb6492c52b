"""What a model has to beat: noise that was given the levels of the sound."""

from __future__ import annotations

import torch
from torch import Tensor

from torchbend.errors import TorchbendError
from torchbend.evaluation.sounds import Sound, one_sound
from torchbend.plots import mel_filterbank

__all__ = ["vocoder_noise"]

_N_FFT, _HOP = 1024, 256


def vocoder_noise(x: Sound, sample_rate: float, bands: int = 16, seed: int = 0) -> Tensor:
    """White noise with the levels of a sound in ``bands`` mel bands: a channel vocoder without a voice.

    It has the sound's loudness and its spectral envelope, roughly, and nothing of its pitch: the least that a
    model of a sound has to do better than. The bands overlap as triangles, and follow the sound every 256
    samples.

    Args:
        x: floating point samples.
        sample_rate: in Hz, above 0.
        bands: 1 or more.
        seed: of the noise.

    Shape:
        ``[T]``, ``[C, T]`` or ``[1, C, T]`` to ``[C, T]``; each channel with noise of its own.

    Raises:
        ShapeError: it is no sound.
        NonFiniteError: it holds NaN or infinity.
        TorchbendError: the sample rate or the number of bands is out of its range.
    """
    sound = one_sound(x)
    if bands < 1 or not sample_rate > 0:
        raise TorchbendError(
            "no vocoder like this",
            site="vocoder_noise",
            wanted="sample_rate > 0, bands >= 1",
            got=f"sample_rate={sample_rate}, bands={bands}",
        )
    bank = mel_filterbank(sample_rate, _N_FFT, bands)
    covered = bank.sum(0)
    # The outer slopes are filled, so that the bands add up to 1 at each frequency.
    bank = bank / covered.where(covered > 0, torch.ones(()))
    noise = torch.randn(sound.shape, generator=torch.Generator().manual_seed(seed))
    window = torch.hann_window(_N_FFT)

    def spectrum(signal: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(signal, (0, _N_FFT))
        return torch.stft(padded, _N_FFT, _HOP, window=window, pad_mode="constant", return_complex=True)

    # The expected power of a bin of white noise of variance 1.
    expected = bank.sum(1, keepdim=True) * window.square().sum()
    level = bank @ spectrum(sound).abs().square() / expected
    gain = (bank.T @ level).sqrt()
    made = torch.istft(spectrum(noise) * gain, _N_FFT, _HOP, window=window)
    return made[..., : sound.shape[-1]]
