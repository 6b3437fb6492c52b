"""Channels that do the same: clusters by cosine similarity."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["cosine_clusters", "mean_similarity", "unit_rows"]

_BLOCK = 2048
"""Rows compared with as many others at a time: 16 MB of similarities, however many rows there are."""


def unit_rows(rows: Tensor) -> Tensor:
    """Each row divided by its length; a row of zeros stays zero, one that is not finite becomes NaN.

    Args:
        rows: any real type.

    Shape: rows ``[N, D]``, result ``[N, D]``, of type float32 (float64 for float64).
    """
    if not rows.is_floating_point() or rows.itemsize < 4:
        rows = rows.float()
    peak = rows.abs().amax(1, keepdim=True) if rows.shape[1] else rows.new_zeros(len(rows), 1)
    # Dividing by the largest value first keeps the squares from overflowing or vanishing.
    scaled = torch.where(peak == 0, torch.zeros_like(rows), rows / peak)
    length = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return torch.where(peak == 0, scaled, scaled / length)


def cosine_clusters(rows: Tensor, threshold: float, block: int = _BLOCK) -> list[list[int]]:
    """Groups of rows that are linked by cosine similarities above a threshold.

    Two rows are linked when their similarity is larger than ``threshold``; a cluster is a connected
    component of these links, so its ends may be less alike than the threshold. Rows of zeros and rows that
    are not finite are like no other. Computed block by block: memory grows with the rows, not with their
    square.

    Args:
        rows: one row for each channel.
        threshold: -1 to 1.
        block: rows compared with as many others at a time.

    Shape: rows ``[N, D]``.

    Returns:
        All clusters, those of one row too: the largest first, then by their first row; rows in order.

    >>> cosine_clusters(torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]), 0.9)
    [[0, 2], [1]]
    """
    units = unit_rows(rows)
    roots = torch.arange(len(units), device=units.device)
    alive = ~(units == 0).all(1)
    for first in range(0, len(units), block):
        for second in range(first, len(units), block):
            left, right = units[first : first + block], units[second : second + block]
            linked = left @ right.T > threshold
            linked &= alive[first : first + block, None] & alive[None, second : second + block]
            roots = _linked_blocks(roots, linked, first, second)
    return _groups(roots)


def _linked_blocks(roots: Tensor, linked: Tensor, first: int, second: int) -> Tensor:
    """The components after linking the rows from ``first`` on with those from ``second`` on.

    Each round takes one link of each row and of each column between two components; a list of all the links
    of a dense block would need more memory than the block.
    """
    height, width = linked.shape
    while True:
        left, right = roots[first : first + height], roots[second : second + width]
        between = (linked & (left[:, None] != right)).to(torch.uint8)
        rows, columns = between.amax(1).nonzero()[:, 0], between.amax(0).nonzero()[:, 0]
        if not len(rows):
            return roots
        to_rows, to_columns = between[:, columns].argmax(0), between[rows].argmax(1)
        roots = _joined(
            roots,
            torch.cat((rows, to_rows)) + first,
            torch.cat((to_columns, columns)) + second,
        )


def _joined(roots: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The components after linking ``a[k]`` with ``b[k]``: each row points to the smallest of its component.

    Each round hooks the larger root of every link below the smaller one, then shortens the chains, as by
    Shiloach and Vishkin, "An O(log n) parallel connectivity algorithm" (1982).
    """
    while True:
        low, high = torch.minimum(roots[a], roots[b]), torch.maximum(roots[a], roots[b])
        open_links = low != high
        if not bool(open_links.any()):
            return roots
        a, b, low, high = a[open_links], b[open_links], low[open_links], high[open_links]
        roots = roots.scatter_reduce(0, high, low, "amin")
        while not torch.equal(roots[roots], roots):
            roots = roots[roots]


def _groups(roots: Tensor) -> list[list[int]]:
    found: dict[int, list[int]] = {}
    for index, root in enumerate(roots.tolist()):
        found.setdefault(root, []).append(index)
    return sorted(found.values(), key=lambda group: (-len(group), group[0]))


def mean_similarity(units: Tensor, group: list[int]) -> float:
    """Mean cosine similarity of all pairs in a group of two or more rows of length 1.

    The squared length of the sum of the rows is the sum over all pairs, each row with itself included.
    """
    members = units[torch.tensor(group, device=units.device)].double()
    count = len(group)
    square = float(members.sum(0).square().sum())
    return (square - float(members.square().sum())) / (count * (count - 1))
