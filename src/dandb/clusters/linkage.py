"""Agglomeration by average linkage: which clusters join, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Join", "average_linkage", "groups_after"]


class Join(NamedTuple):
    """Two clusters that become one.

    Attributes:
        first, second: a member of each.
        similarity: the mean similarity of all pairs between them.
    """

    first: int
    second: int
    similarity: float


def average_linkage(similarity: NDArray[np.float64]) -> list[Join]:
    """All joins from single items to one cluster, the most similar first.

    At each step the two clusters with the largest mean similarity of their pairs become one. Chains of
    nearest neighbours find the same joins without looking at all pairs at each step (Murtagh, "A survey of
    recent advances in hierarchical clustering algorithms", 1983): time grows with the square of the items.

    Args:
        similarity: how alike each two items are; the diagonal is not looked at.

    Shape: similarity ``[N, N]``, symmetric and finite.

    Returns:
        N - 1 joins. Equal similarities are taken by the smaller numbers first.
    """
    near = np.array(similarity, dtype=np.float64)
    np.fill_diagonal(near, -np.inf)
    count = len(near)
    sizes = np.ones(count)
    alive = np.ones(count, dtype=bool)
    joins: list[Join] = []
    chain: list[int] = []
    while len(joins) < count - 1:
        if not chain:
            chain.append(int(alive.argmax()))
        last = chain[-1]
        best = int(near[last].argmax())
        if len(chain) < 2 or near[last, best] > near[last, chain[-2]]:
            chain.append(best)
            continue
        # Nearest to each other: whatever else joins, these two do.
        first, second = sorted((last, chain[-2]))
        del chain[-2:]
        joins.append(Join(first, second, float(near[first, second])))
        _join(near, sizes, first, second)
        alive[second] = False
    return sorted(joins, key=lambda join: -join.similarity)


def _join(near: NDArray[np.float64], sizes: NDArray[np.float64], first: int, second: int) -> None:
    """Let ``first`` stand for both from now on."""
    a, b = near[first], near[second]
    mean = (sizes[first] * a + sizes[second] * b) / (sizes[first] + sizes[second])
    # A mean that rounding lifts above both would break chains that are waiting.
    mean = np.minimum(mean, np.maximum(a, b))
    mean[first] = -np.inf
    near[first], near[:, first] = mean, mean
    near[second], near[:, second] = -np.inf, -np.inf
    sizes[first] += sizes[second]


def groups_after(joins: Sequence[Join], count: int) -> list[list[int]]:
    """The clusters of ``count`` items after some joins: the largest first, then by their first item."""
    owner = list(range(count))

    def root(item: int) -> int:
        while owner[item] != item:
            owner[item] = owner[owner[item]]
            item = owner[item]
        return item

    for join in joins:
        low, high = sorted((root(join.first), root(join.second)))
        owner[high] = low
    found: dict[int, list[int]] = {}
    for item in range(count):
        found.setdefault(root(item), []).append(item)
    return sorted(found.values(), key=lambda group: (-len(group), group[0]))
