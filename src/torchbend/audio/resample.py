"""Changing the sample rate of a tensor."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from torchbend.errors import MissingExtraError, TorchbendError

__all__ = ["resample"]


def resample(x: Tensor, from_rate: float, to_rate: float) -> Tensor:
    """Resample the last dimension with soxr's "HQ" quality (linear phase, 20 bit).

    What lies below about 0.91 of the lower of both Nyquist frequencies is kept, what lies above Nyquist is
    removed. Computed on the CPU and outside of autograd; the result returns to the device of ``x``.

    Args:
        x: floating point samples; half precision is computed in float32.
        from_rate: the sample rate of ``x`` in Hz, above 0.
        to_rate: the wanted sample rate in Hz, above 0.

    Shape:
        ``[*, T]`` to ``[*, round(T * to_rate / from_rate)]``; type and device stay. With equal rates ``x``
        itself is returned.

    Raises:
        TorchbendError: a rate is not a positive number, or ``x`` is not floating point or has no dimension.

    >>> resample(torch.zeros(2, 44100), 44100, 48000).shape
    torch.Size([2, 48000])
    """
    for name, rate in (("from_rate", from_rate), ("to_rate", to_rate)):
        if not (math.isfinite(rate) and rate > 0):
            raise TorchbendError("cannot resample", site=name, wanted="a sample rate in Hz above 0", got=rate)
    if not x.is_floating_point() or x.dim() == 0:
        raise TorchbendError(
            "cannot resample",
            site="x",
            wanted="a floating point tensor [*, samples]",
            got=f"{x.dtype} {list(x.shape)}",
        )
    if from_rate == to_rate:
        return x
    length = round(x.shape[-1] * to_rate / from_rate)
    rows = x.detach().reshape(-1, x.shape[-1]) if x.numel() else x.new_empty(0, 0)
    samples = rows.cpu().to(torch.float64 if x.dtype == torch.float64 else torch.float32).numpy()
    out = np.zeros((math.prod(x.shape[:-1]), length), dtype=samples.dtype)
    for row, result in zip(samples, out, strict=False):
        _resample_row(row, from_rate, to_rate, result)
    return torch.from_numpy(out).to(device=x.device, dtype=x.dtype).reshape(*x.shape[:-1], length)


def _resample_row(
    row: np.ndarray[tuple[int, ...], np.dtype[np.floating]],
    from_rate: float,
    to_rate: float,
    result: np.ndarray[tuple[int, ...], np.dtype[np.floating]],
) -> None:
    """Write the resampled ``row`` into ``result``, whose length may differ from soxr's by a sample."""
    try:
        import soxr
    except (ImportError, OSError) as error:
        raise MissingExtraError("resampling needs soxr", next_step="pip install soxr") from error
    found = soxr.resample(row, from_rate, to_rate, quality="HQ")
    count = min(len(found), len(result))
    result[:count] = found[:count]
