"""The table of weights and its statistics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from torchbend.display.table import Table

__all__ = ["WeightStatistics", "weight_statistics", "weights_table"]

_CPU_CHUNK, _DEVICE_CHUNK = 1 << 16, 1 << 24
"""Elements read at a time: what stays in a processor's cache; on a GPU, what makes its launches worth it."""


@dataclass(frozen=True)
class WeightStatistics:
    """Minimum, maximum, mean and (unbiased) standard deviation; ``nan`` where there is none."""

    min: float = math.nan
    max: float = math.nan
    mean: float = math.nan
    stddev: float = math.nan


def weights_table(items: Iterable[tuple[str, Tensor]]) -> Table:
    """Name, shape, type and statistics of tensors, such as ``module.named_parameters()``.

    Args:
        items: pairs of a name and a tensor of any shape, type and device.

    Returns:
        A table with the columns name, shape, dtype, min, max, mean and stddev. See
        :func:`weight_statistics` for the statistics.

    >>> print(weights_table([("f_mult", torch.arange(1, 5)[:, None])]))
    name    shape               dtype          min    max    mean    stddev
    ------  ------------------  -----------  -----  -----  ------  --------
    f_mult  torch.Size([4, 1])  torch.int64      1      4     2.5   1.29099
    """
    rows: list[list[object]] = []
    for name, tensor in items:
        shape = "uninitialized" if is_lazy(tensor) else str(tensor.shape)
        found = weight_statistics(tensor)
        rows.append([name, shape, str(tensor.dtype), found.min, found.max, found.mean, found.stddev])
    return Table(("name", "shape", "dtype", "min", "max", "mean", "stddev"), rows)


def weight_statistics(tensor: Tensor) -> WeightStatistics:
    """Statistics of all elements, in one pass over chunks of the tensor, where it lives.

    Args:
        tensor: any shape, type and device. Booleans count as 0 and 1; complex numbers are described by
            their modulus; statistics of empty, meta and uninitialized tensors are ``nan``.

    Returns:
        The statistics. The standard deviation divides by n - 1 and is ``nan`` for one element.
    """
    if is_lazy(tensor) or tensor.is_meta or tensor.numel() == 0:
        return WeightStatistics()
    with torch.no_grad():
        parts = [_chunk_statistics(chunk) for chunk in _chunks(_dense(tensor.detach()))]
        # One transfer for each tensor: a GPU is asked to wait once.
        counts = [count for count, _ in parts]
        table = torch.stack([values for _, values in parts]).cpu().double()
    low, high = table[:, 0].min().item(), table[:, 1].max().item()
    if low == high:
        # Without this, rounding would give a tiny deviation to a constant.
        return WeightStatistics(low, high, low, 0.0 if tensor.numel() > 1 else math.nan)
    mean, stddev = _combine(counts, table[:, 2].tolist(), table[:, 3].tolist())
    return WeightStatistics(low, high, mean, stddev)


def _chunk_statistics(chunk: Tensor) -> tuple[int, Tensor]:
    """Number of elements, and [min, max, mean, sum of squared distances from the mean]."""
    if chunk.is_complex():
        chunk = chunk.abs()
    elif chunk.dtype not in (torch.float32, torch.float64):
        exact = not chunk.is_floating_point() and chunk.device.type != "mps"
        chunk = chunk.to(torch.float64 if exact else torch.float32)
    low, high = torch.aminmax(chunk)
    mean = chunk.mean()
    distance = (chunk - mean).flatten()
    return chunk.numel(), torch.stack((low, high, mean, distance.dot(distance)))


def _combine(counts: list[int], means: list[float], squares: list[float]) -> tuple[float, float]:
    """Mean and standard deviation of the union of chunks.

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances" (1979), equation 2.1: the squares of two sets add up, plus the distance of their means.
    """
    total, mean, square = 0, 0.0, 0.0
    for count, chunk_mean, chunk_square in zip(counts, means, squares, strict=True):
        delta = chunk_mean - mean
        square += chunk_square + delta * delta * total * count / (total + count)
        total += count
        mean += delta * count / total
    return mean, math.sqrt(square / (total - 1)) if total > 1 else math.nan


def _dense(tensor: Tensor) -> Tensor:
    """A plain strided tensor with the same elements."""
    if tensor.is_quantized:
        return tensor.dequantize()
    return tensor if tensor.layout == torch.strided else tensor.to_dense()


def _chunks(tensor: Tensor) -> Iterator[Tensor]:
    """Views of a limited size that cover the tensor once; their order means nothing."""
    size = _CPU_CHUNK if tensor.device.type == "cpu" else _DEVICE_CHUNK
    order = sorted(range(tensor.dim()), key=tensor.stride, reverse=True)
    tensor = tensor.permute(order)
    if tensor.is_contiguous():
        flat = tensor.view(-1)
        yield from (flat[start : start + size] for start in range(0, flat.numel(), size))
    elif tensor.numel() <= size:
        yield tensor
    else:
        longest = max(range(tensor.dim()), key=tensor.size)
        for half in tensor.chunk(2, longest):
            yield from _chunks(half)
