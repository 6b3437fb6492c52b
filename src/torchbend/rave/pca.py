"""Latents along their principal components, and how many of them are worth keeping.

A variational model uses few of its latent dimensions (arXiv 2111.05011, section 3.3). The components are
found from the latents of the validation set; the fidelity curve says what share of their variance the first
ones hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from torchbend.errors import ControlError, ShapeError

__all__ = ["Components", "dims_for_fidelity", "fidelity_for_dims", "fit", "project", "unproject"]

Fill = Literal["noise", "zeros"]


class Components(NamedTuple):
    """What `fit` finds; a model keeps it as ``latent_pca``, ``latent_mean`` and ``fidelity``.

    Attributes:
        pca: the components, unit rows by falling variance, shape ``[L, L]``.
        mean: of the latents, shape ``[L]``.
        fidelity: share of the variance that the first 1, 2, ... components hold, shape ``[L]``.
    """

    pca: Tensor
    mean: Tensor
    fidelity: Tensor


# -- how many --------------------------------------------------------------------------------------------


def dims_for_fidelity(fidelity: Tensor, share: float, as_original: bool = False) -> int:
    """How many components hold more than a share of the variance.

    Args:
        fidelity: the curve, never falling, shape ``[L]``.
        share: in [0, 1].
        as_original: what the original exports: one component less than is needed, rounded up to a power of
            two; 1 where the curve never exceeds the share.

    Returns:
        From 1 to L; L where the curve never exceeds the share.

    Raises:
        ControlError: the share is out of its range.
        ShapeError: the curve is no list of numbers.

    >>> curve = torch.tensor([0.5, 0.8, 0.9, 1.0])
    >>> dims_for_fidelity(curve, 0.85), dims_for_fidelity(curve, 0.85, as_original=True)
    (3, 2)
    """
    _check_curve(fidelity)
    if not 0 <= share <= 1:
        raise ControlError(
            "a fidelity is a share",
            site="fidelity",
            wanted="a number in [0, 1]",
            got=share,
            next_step="95 % is 0.95",
        )
    above = (fidelity > share).nonzero()
    first = int(above[0]) if len(above) else None
    if as_original:
        return int(2 ** math.ceil(math.log2(max(first or 0, 1))))
    return len(fidelity) if first is None else first + 1


def fidelity_for_dims(fidelity: Tensor, dims: int) -> float:
    """What share of the variance the first components hold.

    Args:
        fidelity: the curve, shape ``[L]``.
        dims: number of components, from 0 to L.

    Returns:
        In [0, 1]; 0 for none.

    Raises:
        ControlError: there are not so many components.
        ShapeError: the curve is no list of numbers.
    """
    _check_curve(fidelity)
    if not 0 <= dims <= len(fidelity):
        raise ControlError(
            "there are not so many components",
            site="dims",
            wanted=f"an integer from 0 to {len(fidelity)}",
            got=dims,
        )
    return float(fidelity[dims - 1]) if dims else 0.0


# -- there and back --------------------------------------------------------------------------------------


def project(z: Tensor, pca: Tensor, mean: Tensor) -> Tensor:
    """Latents along their principal components.

    Args:
        z: shape ``[B, L, T]`` or ``[L, T]``.
        pca: the components, shape ``[L, L]``, or the first ``n`` of them, ``[n, L]``.
        mean: shape ``[L]``.

    Returns:
        Shape ``[B, n, T]`` or ``[n, T]``.

    Raises:
        ShapeError: there is another number of latents.
    """
    _check_latents(z, pca.shape[1], "exactly")
    return pca @ (z - mean.unsqueeze(-1))


def unproject(z: Tensor, pca: Tensor, mean: Tensor, fill: Fill = "noise") -> Tensor:
    """Latents from their principal components; undoes `project`.

    Args:
        z: the first components, all or less, shape ``[B, n, T]`` or ``[n, T]``, n from 1 to L.
        pca: all components, shape ``[L, L]``.
        mean: shape ``[L]``.
        fill: what stands for missing components: ``"noise"`` from a normal distribution, or ``"zeros"``.

    Returns:
        Shape ``[B, L, T]`` or ``[L, T]``.

    Raises:
        ShapeError: there are more latents than components.
        ControlError: the filling is unknown.
    """
    _check_latents(z, pca.shape[0], "at most")
    return pca.t() @ filled(z, pca.shape[0], fill) + mean.unsqueeze(-1)


def filled(z: Tensor, dims: int, fill: Fill) -> Tensor:
    """Latents with others after them, so that there are ``dims``.

    Args:
        z: shape ``[..., n, T]``, n up to ``dims``.
        dims: how many there shall be.
        fill: ``"noise"`` from a normal distribution, or ``"zeros"``.

    Returns:
        Shape ``[..., dims, T]``; ``z`` itself where nothing is missing.

    Raises:
        ControlError: the filling is unknown.
    """
    if fill not in ("noise", "zeros"):
        raise ControlError(
            "missing latents cannot be this", site="fill", wanted="'noise' or 'zeros'", got=fill
        )
    if z.shape[-2] == dims:
        return z
    make = torch.randn if fill == "noise" else torch.zeros
    more = make(*z.shape[:-2], dims - z.shape[-2], z.shape[-1], dtype=z.dtype, device=z.device)
    return torch.cat([z, more], -2)


# -- finding components ----------------------------------------------------------------------------------


def fit(latents: Tensor | Iterable[Tensor]) -> Components:
    """The principal components of latents.

    Batches are taken one by one, and only their mean and scatter are kept, in double precision (Chan, Golub
    and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979). Of the
    two signs of a component, the one whose largest entry is positive is taken.

    Args:
        latents: batches of latents, each of shape ``[B, L, T]``, or one such tensor. Two frames at least.

    Returns:
        Components in the type and on the device of the latents. Latents that never change give a fidelity
        of 1.

    Raises:
        ShapeError: batches differ in their number of latents, or there are too few frames.
    """
    batches = [latents] if isinstance(latents, Tensor) else latents
    count, mean, scatter, like = 0, torch.zeros(()), torch.zeros(()), None
    for batch in batches:
        if batch.dim() != 3 or (like is not None and batch.shape[1] != like.shape[1]):
            raise ShapeError(
                "components need batches of latents",
                site="latents",
                wanted=f"[batch, {'latents' if like is None else like.shape[1]}, time]",
                got=list(batch.shape),
            )
        frames = batch.detach().double().transpose(1, 2).flatten(0, 1)
        if not len(frames):
            continue
        like = batch if like is None else like
        total, own = count + len(frames), frames.mean(0)
        centred, step = frames - own, own - mean
        scatter = scatter + centred.t() @ centred + torch.outer(step, step) * (count * len(frames) / total)
        count, mean = total, mean + step * (len(frames) / total)
    if like is None or count < 2:
        raise ShapeError("components need two frames or more", site="latents", wanted=2, got=count)
    return _components(mean, scatter, like)


def _components(mean: Tensor, scatter: Tensor, like: Tensor) -> Components:
    variances, columns = torch.linalg.eigh(scatter)
    variances, rows = variances.flip(0).clamp_min(0), columns.flip(1).t()
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    rows = torch.where(largest < 0, -rows, rows)
    total = variances.sum()
    fidelity = (variances.cumsum(0) / total).clamp_max(1) if total > 0 else torch.ones_like(variances)
    return Components(rows.to(like).contiguous(), mean.to(like), fidelity.to(like))


# -- checks ----------------------------------------------------------------------------------------------


def _check_curve(fidelity: Tensor) -> None:
    if fidelity.dim() != 1 or not len(fidelity):
        raise ShapeError("this is no fidelity curve", site="fidelity", wanted="[L]", got=list(fidelity.shape))


def _check_latents(z: Tensor, dims: int, how: str) -> None:
    held = z.shape[-2] if z.dim() in (2, 3) else 0
    if held != dims if how == "exactly" else not 1 <= held <= dims:
        raise ShapeError(
            "these latents do not fit the components",
            site="z",
            wanted=f"[batch, latents, time] or [latents, time], {how} {dims} latents",
            got=list(z.shape),
        )
