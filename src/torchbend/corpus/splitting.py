"""Which sounds are held out, and where long ones are cut."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from torchbend.errors import CorpusError

__all__ = ["held_out_groups", "parts"]


def held_out_groups(frames: Mapping[str, int], share: float, seed: int) -> set[str]:
    """Groups drawn by chance that together come as near to a share of the whole as they can from below.

    Args:
        frames: the length of each group.
        share: of the sum of the lengths, in [0, 1).
        seed: of the draw.

    Returns:
        Names of groups: none where there is one group only or the share is 0; else at least one (the
        shortest, where none is as short as the share), and never all.

    Raises:
        CorpusError: the share is out of its range.

    >>> held_out_groups({"a": 10, "b": 10, "c": 80}, 0.1, seed=0) <= {"a", "b"}
    True
    """
    if not 0 <= share < 1:
        raise CorpusError("no such part can be held out", site="held_out", wanted="in [0, 1)", got=share)
    if share == 0 or len(frames) < 2:
        return set()
    names = sorted(frames)
    left = share * sum(frames.values())
    chosen: set[str] = set()
    for place in np.random.default_rng(seed).permutation(len(names)):
        name = names[place]
        if frames[name] <= left:
            left -= frames[name]
            chosen.add(name)
    return chosen or {min(names, key=lambda name: (frames[name], name))}


def parts(frames: int, length: int) -> list[tuple[int, int]]:
    """Start and length of equal parts (to a frame) of about ``length`` frames.

    Args:
        frames: of the whole, 0 or more.
        length: wanted of each part, above 0.

    >>> parts(10, 4)
    [(0, 5), (5, 5)]
    >>> parts(5, 4)
    [(0, 5)]
    """
    count = max(1, round(frames / length))
    edges = [frames * k // count for k in range(count + 1)]
    return [(begin, end - begin) for begin, end in zip(edges, edges[1:], strict=False)]
