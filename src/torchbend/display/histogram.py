"""A small histogram of a tensor, drawn as inline SVG."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

__all__ = ["histogram_svg", "sample"]

_BINS = 24
_WIDTH, _HEIGHT = 96, 18


def sample(tensor: Tensor, count: int = 4096) -> Tensor:
    """At most ``count`` elements, evenly spread, as float64 on the CPU.

    Args:
        tensor: any shape, type and device; complex numbers give their modulus. Only the elements
            taken are converted and moved, so that a weight of any size costs the same.
        count: how many elements at most, 1 or more.

    Returns:
        One dimension; empty for empty, meta and uninitialized tensors.
    """
    if is_lazy(tensor) or tensor.is_meta or tensor.numel() == 0:
        return torch.empty(0, dtype=torch.float64)
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    elif tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    total = tensor.numel()
    if total > count:
        # Whole numbers throughout: a float of 24 bits would miss the end of a large tensor.
        picked = torch.arange(count, device=tensor.device) * (total - 1) // max(count - 1, 1)
        tensor = tensor[torch.unravel_index(picked, tensor.shape)]
    tensor = tensor.flatten()
    return (tensor.abs() if tensor.is_complex() else tensor).cpu().double()


def histogram_svg(tensor: Tensor) -> str:
    """The distribution of a tensor's values, as an SVG in the colour of the text around it.

    Args:
        tensor: any shape, type and device; see :func:`sample`. Values that are not finite are left out.

    Returns:
        An ``<svg>`` element whose title gives the range, or an empty string where there is nothing to draw.
    """
    values = sample(tensor)
    values = values[values.isfinite()]
    if values.numel() == 0:
        return ""
    low, high = values.min().item(), values.max().item()
    if low == high:
        heights = [1.0 if index == _BINS // 2 else 0.0 for index in range(_BINS)]
    else:
        counts = (
            values.sub(low).div(high - low).mul(_BINS).long().clamp(0, _BINS - 1).bincount(minlength=_BINS)
        )
        heights = (counts / counts.max()).tolist()
    step = _WIDTH / _BINS
    bars = "".join(
        f"M{index * step:g} {_HEIGHT}v{-max(height * (_HEIGHT - 1), 0.7):.3g}h{step - 1:g}V{_HEIGHT}z"
        for index, height in enumerate(heights)
        if height > 0
    )
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return (
        f'<svg class="tb-hist" role="img" {size}>'
        f'<title>{low:g} to {high:g}</title><path fill="currentColor" d="{bars}"/></svg>'
    )
