"""What random callbacks draw, once for each (seed, site).

For a weight or a buffer the draw has its full shape. For an activation it has one value per
channel (``axes.channel_dim``) and broadcasts over batch and time, so that one draw serves
every length. With ``dim`` given it has one value per index along ``dim``, for both.

Draws along one dimension are made in blocks, so that a longer one begins like a shorter one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.axes import channel_dim
from torchbend.bending.site_state import SiteState

__all__ = ["draw_shape", "uniform", "normal", "ranks"]

_BLOCK = 1024


def draw_shape(owner: BendingCallback, x: Tensor, site: SiteState, dim: int | None) -> tuple[int, ...]:
    """The shape of a draw for ``x``: the full shape of a weight, else 1 but along one dimension.

    Raises:
        CallbackError: ``x`` does not have the dimension ``dim``.
    """
    if dim is None and not site.is_activation:
        return tuple(int(size) for size in x.shape)  # under the tracer sizes are tensors
    axis = channel_dim(owner, x, site, dim)
    return tuple(int(size) if i == axis else 1 for i, size in enumerate(x.shape))


def uniform(x: Tensor, site: SiteState, seed: int, shape: tuple[int, ...]) -> Tensor:
    """Uniform in [0, 1), float32, on the device of ``x``."""

    def sample(count: int, generator: torch.Generator) -> Tensor:
        return torch.rand(count, generator=generator, device="cpu", dtype=torch.float32)

    return _drawn("uniform", sample, x, site, seed, shape)


def normal(x: Tensor, site: SiteState, seed: int, shape: tuple[int, ...]) -> Tensor:
    """Normal with mean 0 and deviation 1, on the device of ``x``, in its dtype when that is a float."""

    def sample(count: int, generator: torch.Generator) -> Tensor:
        return torch.randn(count, generator=generator, device="cpu", dtype=torch.float32)

    dtype = x.dtype if x.is_floating_point() else torch.float32
    return _drawn("normal", sample, x, site, seed, shape, dtype)


def ranks(
    x: Tensor, site: SiteState, seed: int, shape: tuple[int, ...], dtype: torch.dtype = torch.int64
) -> Tensor:
    """A random permutation of 0 .. n-1, laid out in ``shape``, on the device of ``x``."""

    def make() -> Tensor:
        order = torch.randperm(math.prod(shape), generator=site.generator(seed), device="cpu")
        return order.reshape(shape).to(device=x.device, dtype=dtype)

    return site.once(("ranks", seed, shape, x.device, dtype), make)


def _drawn(
    key: str,
    sample: Callable[[int, torch.Generator], Tensor],
    x: Tensor,
    site: SiteState,
    seed: int,
    shape: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    def make() -> Tensor:
        generator, count = site.generator(seed), math.prod(shape)
        if sum(size > 1 for size in shape) > 1:
            flat = sample(count, generator)
        else:
            blocks = [sample(_BLOCK, generator) for _ in range(-(-count // _BLOCK) or 1)]
            flat = torch.cat(blocks)[:count]
        return flat.reshape(shape).to(device=x.device, dtype=dtype)

    return site.once((key, seed, shape, x.device, dtype), make)
