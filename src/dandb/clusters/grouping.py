"""Clusters of channels, by how alike they are, and in the order of how loud they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dandb.clusters.activations import channel_energies
from dandb.clusters.linkage import average_linkage, groups_after
from torchbend.errors import ShapeError, SiteNotFoundError, TorchbendError

__all__ = ["compute_clusters", "sort_clusters"]

_DEFAULT_COUNT = 8
_ROUNDING = 1e-4
"""How far a similarity and its mirror image may lie apart."""


def compute_clusters(
    similarity: Tensor, n_clusters: int | None = None, threshold: float | None = None
) -> list[list[int]]:
    """Put channels that are alike together, until a number of clusters is left.

    Average linkage: the two clusters whose channels are most alike on average become one, again and again.
    The same similarities give the same clusters, in whatever order the channels come. Channels that are like
    no other (a 0 on the diagonal, as `compute_activations_similarity` marks them) make one cluster, the last.

    Args:
        similarity: from `compute_activations_similarity`.
        n_clusters: how many clusters, from 1 to the number of channels; fewer come where the channels that
            are like no other leave too few. 8 by default (all channels, where there are fewer).
        threshold: stop instead where no two clusters are more alike than this, from -1 to 1.

    Shape: similarity ``[C, C]``.

    Returns:
        Lists of channels, each channel once: the largest first, then by their first channel.

    Raises:
        ShapeError: ``similarity`` is not square.
        TorchbendError: it is not symmetric or not finite, or the other arguments are out of range.

    Example:
        >>> import torch
        >>> similarity = torch.tensor([[1.0, 0.1, 0.9], [0.1, 1.0, 0.0], [0.9, 0.0, 1.0]])
        >>> compute_clusters(similarity, n_clusters=2)
        [[0, 2], [1]]
        >>> compute_clusters(similarity, threshold=0.95)
        [[0], [1], [2]]
    """
    values = _checked(similarity)
    wanted = _checked_count(n_clusters, threshold, len(values))
    alike = torch.nonzero(values.diagonal() != 0)[:, 0]
    alone = torch.nonzero(values.diagonal() == 0)[:, 0].tolist()
    if not len(alike):
        return [alone]
    joins = average_linkage(values[alike][:, alike].numpy())
    if threshold is not None:
        joins = [join for join in joins if join.similarity > threshold]
    else:
        if wanted == 1:
            return [list(range(len(values)))]
        kept = min(wanted - bool(alone), len(alike))
        joins = joins[: len(alike) - kept]
    numbers = alike.tolist()
    groups = [[numbers[item] for item in group] for group in groups_after(joins, len(alike))]
    return [*groups, alone] if alone else groups


def sort_clusters(
    clusters: Sequence[Sequence[int]], activation: Tensor, dim: int | None = None
) -> list[list[int]]:
    """The clusters with the most energy first, and the channels of each in order.

    A cluster's energy is that of all its channels together: the first clusters are those whose bends are
    heard most. Equal energies are taken by the first channel.

    Args:
        clusters: from `compute_clusters`, or from ``bended.similar_channels``.
        activation: the activation whose channels they are.
        dim: the dimension of the channels, as of `compute_activations_similarity`.

    Shape: activation ``[N, C, ...]``.

    Raises:
        SiteNotFoundError: a cluster names a channel that does not exist.
        TorchbendError: there are no values.

    Example:
        >>> import torch
        >>> sort_clusters([[0], [2, 1]], torch.tensor([[[1.0], [3.0], [4.0]]]))
        [[1, 2], [0]]
    """
    energies = channel_energies(activation, dim).tolist()
    outside = [c for group in clusters for c in group if not 0 <= c < len(energies)]
    if outside:
        raise SiteNotFoundError(
            "the clusters are not those of this activation",
            wanted=f"channels from 0 to {len(energies) - 1}",
            got=", ".join(map(str, outside[:8])),
            next_step="give the activation that the clusters were made from",
        )
    groups = [sorted(group) for group in clusters]
    return sorted(groups, key=lambda group: (-sum(energies[c] for c in group), group[:1]))


def _checked(similarity: Tensor) -> Tensor:
    """The similarities in float64 on the CPU, exactly symmetric."""
    square = isinstance(similarity, Tensor) and similarity.dim() == 2
    if not square or similarity.shape[0] != similarity.shape[1] or not similarity.numel():
        raise ShapeError(
            "similarities are a square",
            site="similarity",
            wanted="[C, C]",
            got=list(similarity.shape) if isinstance(similarity, Tensor) else type(similarity).__name__,
            next_step="compute_activations_similarity(activation) makes them",
        )
    values = similarity.detach().cpu().double()
    if not bool(values.isfinite().all()) or float((values - values.T).abs().max()) > _ROUNDING:
        raise TorchbendError(
            "these are no similarities",
            site="similarity",
            wanted="finite values, the same for (i, j) and (j, i)",
            got="NaN or infinity" if not bool(values.isfinite().all()) else "a matrix that is not symmetric",
        )
    return (values + values.T) / 2


def _checked_count(n_clusters: object, threshold: float | None, channels: int) -> int:
    if n_clusters is not None and threshold is not None:
        raise TorchbendError(
            "n_clusters and threshold both say where to stop", wanted="one of them", got="both"
        )
    if threshold is not None and not -1 <= threshold <= 1:
        raise TorchbendError("a similarity lies between -1 and 1", site="threshold", got=threshold)
    wanted = min(_DEFAULT_COUNT, channels) if n_clusters is None else n_clusters
    whole = int(wanted) if isinstance(wanted, int | np.integer) and not isinstance(wanted, bool) else 0
    if not 1 <= whole <= channels:
        raise TorchbendError(
            "there cannot be this many clusters",
            site="n_clusters",
            wanted=f"1 to {channels}, the number of channels",
            got=wanted,
        )
    return whole
