"""How far latents are from a standard normal distribution."""

from __future__ import annotations

import torch
from torch import Tensor

from torchbend.errors import ShapeError

__all__ = ["kl_normal", "mmd"]


def kl_normal(mean: Tensor, std: Tensor) -> Tensor:
    """Twice the Kullback-Leibler divergence of diagonal normal distributions from the standard one.

    RAVE (arXiv 2111.05011) leaves the factor 1/2 out and sums over the latent dimensions.

    Args:
        mean: of each latent dimension and frame.
        std: of the same shape, positive.

    Shape: inputs ``[batch, latents, frames]``; output a scalar, the mean over batch and frames.

    Raises:
        ShapeError: ``mean`` and ``std`` differ in shape.
    """
    if mean.shape != std.shape or mean.dim() < 2:
        raise ShapeError(
            "A divergence needs a mean and a scale for each latent",
            site="kl_normal",
            wanted="two tensors [batch, latents, frames] of one shape",
            got=f"{tuple(mean.shape)} and {tuple(std.shape)}",
            next_step="split the raw encoder output in halves along its channels",
        )
    variance = std * std
    return (mean * mean + variance - variance.log() - 1).sum(1).mean()


def mmd(x: Tensor, y: Tensor) -> Tensor:
    """Maximum mean discrepancy between two sets of vectors, with a Gaussian kernel (Gretton et al., 2012).

    The kernel is ``exp(-|a - b|^2 / D^2)`` for vectors of ``D`` dimensions, and the means run over all
    pairs, each vector with itself included, so that equal sets give 0.

    Args:
        x: vectors.
        y: other vectors, of the same dimension.

    Shape: ``x`` ``[n, D]``, ``y`` ``[m, D]``; output a scalar.

    Raises:
        ShapeError: the inputs are not two lists of vectors of one dimension.
    """
    if x.dim() != 2 or y.dim() != 2 or x.shape[1] != y.shape[1]:
        raise ShapeError(
            "The discrepancy compares two lists of vectors",
            site="mmd",
            wanted="[n, D] and [m, D]",
            got=f"{tuple(x.shape)} and {tuple(y.shape)}",
            next_step="move the latents last and join batch and frames: z.transpose(1, 2).flatten(0, 1)",
        )
    return _kernel(x, x).mean() + _kernel(y, y).mean() - 2 * _kernel(x, y).mean()


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    size = a.shape[1]
    squared = (a[:, None] - b[None]).square().mean(-1)
    return torch.exp(-squared / size)
