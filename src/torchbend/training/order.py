"""Which excerpts make which batch: the same for a seed, whoever asks and whenever a run goes on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

__all__ = ["Batches"]


class Batches(Sampler[list[int]]):
    """The batches of an epoch, shuffled; what does not fill a batch is left out.

    With several processes each takes its part of a larger batch, so that together they see what one process
    with the larger batch sees.

    Args:
        count: of excerpts.
        batch: excerpts in a batch of one process.
        seed: of the order; each epoch has one of its own.
        process: number of this process.
        processes: that train together.
    """

    def __init__(self, count: int, batch: int, seed: int, process: int = 0, processes: int = 1) -> None:
        self.count, self.batch, self.seed = count, batch, seed
        self.process, self.processes = process, processes
        self.epoch = 0
        self.start = 0

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self.count // (self.batch * self.processes)

    def __iter__(self) -> Iterator[list[int]]:
        """The batches from ``start`` on, as lists of numbers of excerpts."""
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.count)
        whole = self.batch * self.processes
        for number in range(self.start, len(self)):
            together = order[number * whole : (number + 1) * whole]
            yield together[self.process :: self.processes].tolist()
