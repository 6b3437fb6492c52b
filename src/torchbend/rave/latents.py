"""What can be done with latents before they are decoded.

Latents have the shape ``[B, L, T]`` or ``[L, T]``: latent dimensions, then frames. Nothing here changes its
arguments, and gradients pass through all of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from torchbend.errors import ControlError, ShapeError
from torchbend.rave.pca import filled

__all__ = [
    "add_noise",
    "exactly",
    "interleave",
    "morph",
    "scale_and_bias",
    "spherical_path",
    "zero",
]

Dims = slice | int | Sequence[int] | None


# -- two latents -----------------------------------------------------------------------------------------


def morph(
    a: Tensor,
    b: Tensor,
    curve: Tensor | float | None = None,
    method: Literal["linear", "spherical"] = "linear",
) -> Tensor:
    """From one trajectory to another.

    Args:
        a: shape ``[B, L, T]`` or ``[L, T]``.
        b: the same shape, or one without the batch.
        curve: how far, 0 is ``a`` and 1 is ``b``: one number for each frame, shape ``[T]``, or one for all. A
            straight line from 0 to 1 when left out. Values beyond extrapolate.
        method: ``"linear"`` mixes each dimension; ``"spherical"`` turns the direction of each frame at an
            even pace and mixes the lengths, so that the middle is not quieter than both ends (Shoemake,
            "Animating rotation with quaternion curves", SIGGRAPH 1985). Opposite directions, and frames of
            zeros, are mixed linearly.

    Returns:
        The shape of ``a`` and ``b`` broadcast.

    Raises:
        ShapeError: the trajectories differ in latents or frames, or the curve in frames.
        ControlError: there is no such method.

    >>> morph(torch.zeros(1, 3), torch.ones(1, 3))
    tensor([[0.0000, 0.5000, 1.0000]])
    """
    _check_pair(a, b)
    t = torch.linspace(0, 1, a.shape[-1]).to(a) if curve is None else _curve(curve, a, "curve")
    if method == "linear":
        return a * (1 - t) + b * t
    if method == "spherical":
        return _turned(a, b, t)
    raise ControlError(
        "latents cannot be morphed like this", site="method", wanted="'linear' or 'spherical'", got=method
    )


def _turned(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    tiny = torch.finfo(a.dtype).tiny
    lengths = [x.norm(dim=-2, keepdim=True) for x in (a, b)]
    ends = [x / length.clamp_min(tiny) for x, length in zip((a, b), lengths, strict=True)]
    # From both sides of the triangle: exact for small angles too, where an arc cosine is not.
    apart, together = (x.norm(dim=-2, keepdim=True) for x in (ends[1] - ends[0], ends[0] + ends[1]))
    # Two zeros have no angle, and would have no gradient.
    angle = 2 * torch.atan2(apart, torch.where(apart + together > 0, together, torch.ones_like(together)))
    sine = angle.sin()
    turns = (sine.abs() > 1e-4) & (lengths[0] > 0) & (lengths[1] > 0)
    safe = torch.where(turns, sine, torch.ones_like(sine))
    direction = (((1 - t) * angle).sin() * ends[0] + (t * angle).sin() * ends[1]) / safe
    return torch.where(turns, direction * (lengths[0] * (1 - t) + lengths[1] * t), a * (1 - t) + b * t)


def interleave(a: Tensor, b: Tensor, every: int = 1) -> Tensor:
    """Some dimensions of one trajectory, the others of another.

    Args:
        a: gives the first ``every`` dimensions, then each second group; shape ``[B, L, T]`` or ``[L, T]``.
        b: gives the groups between; the same shape, or one without the batch.
        every: dimensions in a group, 1 or more.

    Returns:
        The shape of ``a`` and ``b`` broadcast.

    Raises:
        ShapeError: the trajectories differ in latents or frames.
        ControlError: the groups are empty.

    >>> interleave(torch.zeros(4, 1), torch.ones(4, 1)).flatten()
    tensor([0., 1., 0., 1.])
    """
    _check_pair(a, b)
    if every < 1:
        raise ControlError("a group needs a dimension", site="every", wanted="1 or more", got=every)
    group = torch.arange(a.shape[-2], device=a.device) // every
    return torch.where((group % 2 == 0).unsqueeze(-1), a, b)


# -- a trajectory from nothing ---------------------------------------------------------------------------


def spherical_path(
    latent_size: int,
    frames: int,
    turns: float = 1.0,
    spread: float = 1.0,
    radius: float = 1.0,
    phase: float = 0.0,
) -> Tensor:
    """A cosine in each dimension, each a little further than the one before.

    Args:
        latent_size: number of dimensions.
        frames: number of frames.
        turns: periods from the first frame to the last.
        spread: periods from the first dimension to the last.
        radius: of the path: the largest value.
        phase: where it starts, in periods.

    Returns:
        In [-radius, radius], shape ``[1, latent_size, frames]``.

    Raises:
        ShapeError: it would hold nothing.
    """
    if latent_size < 1 or frames < 1:
        raise ShapeError(
            "a path needs dimensions and frames",
            site="spherical_path",
            wanted="latent_size and frames of 1 or more",
            got=(latent_size, frames),
        )
    time = turns * torch.linspace(0, 1, frames) + phase
    place = spread * torch.linspace(0, 1, latent_size).unsqueeze(-1)
    return radius * torch.cos(2 * math.pi * (time + place)).unsqueeze(0)


# -- one trajectory --------------------------------------------------------------------------------------


def zero(z: Tensor, dims: Dims = None) -> Tensor:
    """Some dimensions at zero.

    Args:
        z: shape ``[B, L, T]`` or ``[L, T]``.
        dims: which ones: a slice, numbers, or ``None`` for all.

    Returns:
        The same shape.

    Raises:
        ShapeError: these are no latents.
        ControlError: there is no such dimension.
    """
    return z.masked_fill(_mask(z, dims), 0)


def add_noise(z: Tensor, amount: Tensor | float = 1.0, dims: Dims = None, seed: int | None = None) -> Tensor:
    """Normal noise on some dimensions.

    Args:
        z: shape ``[B, L, T]`` or ``[L, T]``.
        amount: standard deviation: one number, or one for each frame, shape ``[T]``.
        dims: which ones: a slice, numbers, or ``None`` for all.
        seed: gives the same noise each time; PyTorch's own randomness when left out.

    Returns:
        The same shape.

    Raises:
        ShapeError: these are no latents, or the amounts are not one for each frame.
        ControlError: there is no such dimension.
    """
    mask = _mask(z, dims).flatten()
    chosen = z[..., mask, :]
    if seed is None:
        noise = torch.randn_like(chosen)
    else:
        draw = torch.Generator().manual_seed(seed)
        noise = torch.randn(chosen.shape, generator=draw).to(chosen)
    out = z.clone()
    out[..., mask, :] = chosen + _curve(amount, z, "amount") * noise
    return out


def scale_and_bias(
    z: Tensor,
    scale: Tensor | Sequence[float] | float = 1.0,
    bias: Tensor | Sequence[float] | float = 0.0,
) -> Tensor:
    """Each dimension multiplied, then moved.

    Args:
        z: shape ``[B, L, T]`` or ``[L, T]``.
        scale: one factor, or one for each dimension, shape ``[L]``.
        bias: one number, or one for each dimension, shape ``[L]``.

    Returns:
        The same shape.

    Raises:
        ShapeError: these are no latents, or there is another number of factors.
    """
    _check(z)
    return z * _per_dimension(scale, z, "scale") + _per_dimension(bias, z, "bias")


def exactly(z: Tensor, n: int, fill: Literal["noise", "zeros"] = "zeros") -> Tensor:
    """As many latent dimensions as a decoder takes.

    Args:
        z: shape ``[B, L, T]`` or ``[L, T]``.
        n: how many there shall be, 1 or more. The last are cropped, or others put after them.
        fill: what stands for missing ones: ``"zeros"``, or ``"noise"`` from a normal distribution.

    Returns:
        Shape ``[B, n, T]`` or ``[n, T]``.

    Raises:
        ShapeError: these are no latents.
        ControlError: there would be none, or the filling is unknown.
    """
    _check(z)
    if n < 1:
        raise ControlError("latents need a dimension", site="n", wanted="1 or more", got=n)
    return filled(z[..., :n, :], n, fill)


# -- checks ----------------------------------------------------------------------------------------------


def _check(z: Tensor, site: str = "z") -> None:
    if z.dim() not in (2, 3):
        raise ShapeError(
            "these are no latents",
            site=site,
            wanted="[batch, latents, time] or [latents, time]",
            got=list(z.shape),
        )


def _check_pair(a: Tensor, b: Tensor) -> None:
    _check(a, "a")
    _check(b, "b")
    batches = {x.shape[0] for x in (a, b) if x.dim() == 3} - {1}
    if a.shape[-2:] != b.shape[-2:] or len(batches) > 1:
        raise ShapeError(
            "these two trajectories do not fit",
            site="b",
            wanted=f"the latents and frames of a: {list(a.shape)}",
            got=list(b.shape),
            next_step="crop both to the shorter one, z[..., :frames]; exactly() for the latents",
        )


def _curve(values: Tensor | float, z: Tensor, site: str) -> Tensor:
    """One value, or one for each frame."""
    curve = torch.as_tensor(values).to(z)
    if curve.dim() and curve.shape != z.shape[-1:]:
        raise ShapeError(
            "a curve has one value for each frame",
            site=site,
            wanted=f"a number, or [{z.shape[-1]}]",
            got=list(curve.shape),
            next_step="torch.linspace(0, 1, z.shape[-1]) is a straight line",
        )
    return curve


def _per_dimension(values: Tensor | Sequence[float] | float, z: Tensor, site: str) -> Tensor:
    """One value, or one for each dimension."""
    column = torch.as_tensor(values).to(z)
    if column.dim() and column.shape != z.shape[-2:-1]:
        raise ShapeError(
            "there has to be one value for each dimension",
            site=site,
            wanted=f"a number, or [{z.shape[-2]}]",
            got=list(column.shape),
        )
    return column.unsqueeze(-1) if column.dim() else column


def _mask(z: Tensor, dims: Dims) -> Tensor:
    """Which dimensions are meant, shape ``[L, 1]``."""
    _check(z)
    size = z.shape[-2]
    mask = torch.zeros(size, 1, dtype=torch.bool, device=z.device)
    if dims is None or isinstance(dims, slice):
        mask[dims or slice(None)] = True
        return mask
    places = [dims] if isinstance(dims, int) else list(dims)
    if any(not -size <= place < size for place in places):
        raise ControlError(
            "there is no such dimension", site="dims", wanted=f"from {-size} to {size - 1}", got=places
        )
    mask[places] = True
    return mask
