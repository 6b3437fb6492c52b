"""One codebook: finding the nearest code, and learning codes without gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from torchbend.rave.config import DiscreteConfig
from torchbend.rave.together import ALONE, Together

__all__ = ["Codebook", "k_means"]


def nearest(vectors: Tensor, codes: Tensor) -> Tensor:
    """The place of the nearest code, by Euclidean distance.

    The square of the vector itself is left out: it is the same for all codes. So the only table is [N, K].

    Args:
        vectors: shape ``[N, dim]``.
        codes: shape ``[K, dim]``.

    Returns:
        int64, shape ``[N]``.
    """
    # The norm needs no table of squares.
    lengths = torch.linalg.vector_norm(codes, dim=1).square()
    return torch.addmm(lengths, vectors, codes.t(), beta=-1, alpha=2).argmax(-1)


def _sums(vectors: Tensor, index: Tensor, size: int, together: Together = ALONE) -> tuple[Tensor, Tensor]:
    """For each code, how many vectors it stands for, and their sum: shapes ``[K]`` and ``[K, dim]``."""
    counts = torch.bincount(index, minlength=size).to(vectors)
    sums = vectors.new_zeros(size, vectors.shape[1]).index_add_(0, index, vectors)
    if together.count == 1:
        return counts, sums
    whole = together.sum(torch.cat([counts.unsqueeze(1), sums], 1))
    return whole[:, 0], whole[:, 1:]


def _places(held: int, size: int, device: torch.device) -> Tensor:
    """``size`` of the numbers below ``held`` at random; each at most once, where there are enough."""
    if held >= size:
        return torch.randperm(held, device=device)[:size]
    return torch.randint(0, held, (size,), device=device)


def _draw(vectors: Tensor, size: int) -> Tensor:
    """``size`` of the vectors at random; each at most once, where there are enough."""
    return vectors[_places(vectors.shape[0], size, vectors.device)]


def _chance(vectors: Tensor, size: int, together: Together) -> Tensor:
    """Places of ``size`` vectors of all processes, drawn by the first one; 0 in the others."""
    if together.place:
        return torch.zeros(size, dtype=torch.int64, device=vectors.device)
    return _places(vectors.shape[0] * together.count, size, vectors.device)


def _sent(vectors: Tensor, places: Tensor, together: Together) -> Tensor:
    """The vectors at places of `_chance`, shape ``[K, dim]``: each process sends those that it holds."""
    held, places = vectors.shape[0], together.sum(places)
    here = (places // held == together.place).unsqueeze(1)
    return together.sum(torch.where(here, vectors[places % held], 0))


def k_means(vectors: Tensor, size: int, rounds: int, together: Together = ALONE) -> tuple[Tensor, Tensor]:
    """Centres of clusters.

    Args:
        vectors: shape ``[N, dim]``, N > 0.
        size: number of clusters, K.
        rounds: of assigning each vector to its nearest centre and moving the centres to the means.
        together: processes, each with as many vectors; all find the same centres.

    Returns:
        The centres, shape ``[K, dim]``, and how many vectors each had in the last round, shape ``[K]``. A
        cluster that is empty keeps its centre.
    """
    if together.count == 1:
        centres = _draw(vectors, size)
    else:
        centres = _sent(vectors, _chance(vectors, size, together), together)
    counts = vectors.new_zeros(size)
    for _ in range(rounds):
        counts, sums = _sums(vectors, nearest(vectors, centres), size, together)
        means = sums / counts.clamp_min(1).unsqueeze(1)
        centres = torch.where(counts.unsqueeze(1) > 0, means, centres)
    return centres, counts


class Codebook(nn.Module):
    """Codes, and how much each is used.

    A code that is used less than ``config.dead_code_threshold`` times in a batch, and less than half as much
    as the mean, is drawn anew from the batch.

    Args:
        dim: size of a code.
        config: number of codes and rates.

    Attributes:
        inited: 1 once the codes were found, shape ``[1]``.
        cluster_size: moving average of the uses of each code in one batch, shape ``[K]``.
        embed: the codes, shape ``[K, dim]``.
        embed_avg: moving average of the sums of the vectors that each code stands for, shape ``[K, dim]``.
        together: processes that learn these codes, each from as many vectors of its own.
    """

    inited: Tensor
    cluster_size: Tensor
    embed: Tensor
    embed_avg: Tensor

    def __init__(self, dim: int, config: DiscreteConfig) -> None:
        super().__init__()
        self.config, self.size = config, config.codebook_size
        self.together = ALONE
        self.register_buffer("inited", torch.zeros(1))
        self.register_buffer("cluster_size", torch.zeros(self.size))
        self.register_buffer("embed", torch.zeros(self.size, dim))
        self.register_buffer("embed_avg", torch.zeros(self.size, dim))
        self._found = False

    def _load_from_state_dict(self, *arguments: Any, **options: Any) -> None:
        super()._load_from_state_dict(*arguments, **options)
        self._found = not self.inited.is_meta and bool(self.inited)

    def nearest(self, vectors: Tensor) -> Tensor:
        """The nearest code of each vector: shape ``[N, dim]`` to ``[N]``."""
        return nearest(vectors.detach(), self.embed)

    def lookup(self, index: Tensor) -> Tensor:
        """The codes at these places: shape ``[...]`` to ``[..., dim]``."""
        return nn.functional.embedding(index, self.embed)

    @torch.no_grad()
    def start(self, vectors: Tensor, as_original: bool) -> None:
        """Find the first codes by k-means, unless they were found before.

        Args:
            vectors: shape ``[N, dim]``.
            as_original: `embed_avg` holds means, where sums are wanted: the next step divides it by the uses.
        """
        # The buffer is read at loading and here once: a captured call sees no decision that depends on data.
        if self._found:
            return
        if not bool(self.inited):
            rounds = self.config.kmeans_iterations
            centres, counts = k_means(vectors.detach(), self.size, rounds, self.together)
            self.embed.copy_(centres)
            self.embed_avg.copy_(centres if as_original else centres * counts.unsqueeze(1))
            self.cluster_size.copy_(counts)
            self.inited.fill_(1)
        self._found = True

    @torch.no_grad()
    def learn(self, vectors: Tensor, index: Tensor, as_original: bool) -> None:
        """Move the codes towards the vectors that they stand for.

        Args:
            vectors: shape ``[N, dim]``.
            index: their codes, shape ``[N]``.
            as_original: codes that are not used are left as they are.
        """
        config = self.config
        counts, sums = _sums(vectors, index, self.size, self.together)
        self.cluster_size.lerp_(counts, 1 - config.decay)
        self.embed_avg.lerp_(sums, 1 - config.decay)
        if not as_original:
            self._replace_unused(vectors)
        total = self.cluster_size.sum()
        smooth = (self.cluster_size + config.epsilon) / (total + self.size * config.epsilon) * total
        self.embed.copy_(self.embed_avg / smooth.clamp_min(1e-20).unsqueeze(1))

    def _replace_unused(self, vectors: Tensor) -> None:
        """Draw codes that are hardly used anew from the batch, as if they had been used like the others.

        The threshold is at most half of the mean use: with few frames in a batch for each code, all codes
        would be below a fixed one.
        """
        mean = self.cluster_size.mean()
        unused = self.cluster_size < torch.clamp(mean / 2, max=self.config.dead_code_threshold)
        together = self.together
        if together.count == 1:
            # All are drawn, so that nothing waits for a decision that depends on data.
            drawn = _draw(vectors, self.size) * mean
            self.embed_avg.copy_(torch.where(unused.unsqueeze(1), drawn, self.embed_avg))
        else:
            places = _chance(vectors, self.size, together)[unused]
            if len(places):
                self.embed_avg[unused] = _sent(vectors, places, together) * mean
        self.cluster_size.copy_(torch.where(unused, mean, self.cluster_size))
