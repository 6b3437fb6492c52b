"""Noise that goes through a filter of its own in each frame.

The subtractive half of Engel et al., "DDSP: Differentiable Digital Signal Processing" (arXiv 2001.04643,
section 3.4): a network gives the magnitudes of a filter at equally spaced frequencies, the frequency sampling
method makes a windowed impulse response of them, and uniform noise is convolved with it.

Nothing here knows of other frames, so blocks of a stream give what the whole signal gives. Only numbers of
channels are looked at, never the length: a traced call serves signals of any length.
"""

from __future__ import annotations

import torch
from torch import Tensor

from torchbend.errors import ShapeError

__all__ = [
    "amplitudes_to_impulse_response",
    "filter_noise",
    "impulse_responses",
    "mod_sigmoid",
    "synthesise",
]

_START = 5.0
"""Subtracted from the features, so that a new model starts nearly silent."""


def mod_sigmoid(x: Tensor) -> Tensor:
    """A sigmoid for amplitudes: steeper than the plain one, from 1e-7 to 2 (arXiv 2001.04643, equation 5).

    Args:
        x: any shape.

    Returns:
        The same shape.

    >>> mod_sigmoid(torch.tensor([-100.0, 100.0])).tolist()
    [1.000...e-07, 2.0]
    """
    return 2 * torch.sigmoid(x) ** 2.3 + 1e-7


def amplitudes_to_impulse_response(amplitudes: Tensor, target_size: int) -> Tensor:
    """The impulse response of a filter that has these magnitudes and no phase.

    The response is windowed around its centre, then lengthened and turned so that the centre is at time 0;
    the half before it stands at the end. Where ``target_size`` is shorter than the response,
    ``2 * (bands - 1)`` samples, its tail is cut before it is turned: the filter is then another, yet it is
    what checkpoints of such a configuration (v2_small) were trained with.

    Args:
        amplitudes: at equally spaced frequencies from 0 to half the rate, shape ``[..., bands]``; two bands
            or more.
        target_size: length of the response, in samples.

    Returns:
        Shape ``[..., target_size]``.

    Raises:
        ShapeError: there are fewer than two amplitudes.
    """
    bands = amplitudes.shape[-1]
    if bands < 2:
        raise ShapeError(
            "a filter needs magnitudes at two frequencies or more",
            site="amplitudes",
            wanted="[..., bands] with bands > 1",
            got=list(amplitudes.shape),
            next_step="choose more noise bands",
        )
    size = 2 * (bands - 1)
    window = torch.hann_window(size, dtype=amplitudes.dtype, device=amplitudes.device)
    centred = torch.fft.irfft(amplitudes, n=size).roll(size // 2, -1) * window
    return torch.nn.functional.pad(centred, (0, target_size - size)).roll(-(size // 2), -1)


def impulse_responses(features: Tensor, outputs: int, target_size: int) -> Tensor:
    """The filters that the network's last features stand for.

    Args:
        features: shape ``[B, outputs * bands, T]``, all bands of one output, then those of the next.
        outputs: number of channels of the noise.
        target_size: length of each response: the samples of one frame.

    Returns:
        Shape ``[B, T, outputs, target_size]``.

    Raises:
        ShapeError: the channels cannot be shared out among the outputs.
    """
    if features.dim() != 3 or features.shape[1] % outputs:
        raise ShapeError(
            "these features hold no filters",
            site="noise",
            wanted=f"[batch, {outputs} * bands, time]",
            got=list(features.shape),
        )
    amplitudes = mod_sigmoid(features - _START).transpose(1, 2)
    batch, frames, channels = amplitudes.shape
    amplitudes = amplitudes.reshape(batch, frames, outputs, channels // outputs)
    return amplitudes_to_impulse_response(amplitudes, target_size)


def filter_noise(noise: Tensor, responses: Tensor) -> Tensor:
    """Each frame of noise through its own filter; what rings on after the frame is left out.

    Args:
        noise: in [-1, 1], shape ``[B, T, outputs, N]``.
        responses: the same shape.

    Returns:
        Shape ``[B, outputs, T * N]``, the frames one after the other.

    Raises:
        ShapeError: the shapes differ.
    """
    if noise.dim() != 4 or noise.shape != responses.shape:
        raise ShapeError(
            "each frame of noise needs a filter of its own length",
            site="noise",
            wanted=f"[batch, frames, outputs, samples], as the responses: {list(responses.shape)}",
            got=list(noise.shape),
        )
    size = responses.shape[-1]
    spectrum = torch.fft.rfft(noise, n=2 * size) * torch.fft.rfft(responses, n=2 * size)
    filtered: Tensor = torch.fft.irfft(spectrum, n=2 * size)[..., :size]
    return filtered.transpose(1, 2).flatten(2)


def synthesise(features: Tensor, outputs: int, target_size: int, uniform: Tensor | None = None) -> Tensor:
    """Filtered noise from the network's last features.

    Args:
        features: shape ``[B, outputs * bands, T]``.
        outputs: number of channels of the noise.
        target_size: samples of one frame.
        uniform: random numbers in [0, 1], shape ``[B, T, outputs, target_size]``; drawn when left out.

    Returns:
        Shape ``[B, outputs, T * target_size]``.

    Raises:
        ShapeError: the shapes do not fit.
    """
    responses = impulse_responses(features, outputs, target_size)
    uniform = torch.rand_like(responses) if uniform is None else uniform
    return filter_noise(2 * uniform - 1, responses)
