"""Residual vector quantisation: each codebook codes what the ones before it left over.

Zeghidour et al., "SoundStream" (arXiv 2107.03312, section III.C). Codes are moving averages of the vectors
that they stand for (van den Oord et al., "Neural Discrete Representation Learning", arXiv 1711.00937,
appendix A.1).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torchbend.errors import ShapeError
from torchbend.rave.codebook import Codebook
from torchbend.rave.config import DiscreteConfig
from torchbend.rave.together import Together

__all__ = ["ResidualQuantiser"]


class _Layer(nn.Module):
    """One codebook, under the name that checkpoints give it."""

    def __init__(self, codebook: Codebook) -> None:
        super().__init__()
        self._codebook = codebook

    @property
    def codebook(self) -> Codebook:
        """The codebook."""
        return self._codebook


class ResidualQuantiser(nn.Module):
    """A chain of codebooks. The output is the sum of one code of each.

    In training mode each call also moves the codes. The first call ever finds them by k-means, in any mode.

    Args:
        dim: number of latent dimensions.
        config: sizes and rates.
        as_original: learn as the original does, where the codes shrink after the first step and codes that
            are never used stay as they are. Encoding and decoding are the same either way.
    """

    def __init__(self, dim: int, config: DiscreteConfig | None = None, *, as_original: bool = False) -> None:
        super().__init__()
        config = config or DiscreteConfig()
        self.dim, self.as_original = dim, as_original
        self.layers = nn.ModuleList(_Layer(Codebook(dim, config)) for _ in range(config.num_quantizers))

    @property
    def codebooks(self) -> list[Codebook]:
        """The codebooks, in the order in which they are used."""
        return [layer.codebook for layer in self.layers if isinstance(layer, _Layer)]

    def learn_together(self, together: Together) -> None:
        """Learn one set of codes in several processes: as one process does from the vectors of all.

        Args:
            together: the processes; each quantises as many vectors as the others, in the same order of calls.
        """
        for codebook in self.codebooks:
            codebook.together = together

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantise.

        Args:
            z: shape ``[B, dim, T]``.

        Returns:
            The quantised vectors, shape ``[B, dim, T]``; in training their gradient is that of ``z``. The
            commitment loss, shape ``[]``: 0 outside training. The codes, int64, shape ``[B, n, T]``.

        Raises:
            ShapeError: the vectors have another size.
        """
        residual = self._vectors(z)
        total, loss = torch.zeros_like(residual), residual.new_zeros(())
        codes = []
        for codebook in self.codebooks:
            codebook.start(residual, self.as_original)
            index = codebook.nearest(residual)
            q = codebook.lookup(index)
            if self.training:
                codebook.learn(residual.detach(), index, self.as_original)
                q = residual + (q - residual).detach()
                loss = loss + (q.detach() - residual).square().mean()
            residual, total = residual - q, total + q
            codes.append(index)
        return self._signal(total, z), loss, self._stack(codes, z)

    def encode(self, z: Tensor) -> Tensor:
        """The codes, with the codebooks as they are.

        Args:
            z: shape ``[B, dim, T]``.

        Returns:
            int64 in ``[0, codebook_size)``, shape ``[B, n, T]``.

        Raises:
            ShapeError: the vectors have another size.
        """
        residual, codes = self._vectors(z), []
        for codebook in self.codebooks:
            codes.append(codebook.nearest(residual))
            residual = residual - codebook.lookup(codes[-1])
        return self._stack(codes, z)

    def decode(self, codes: Tensor) -> Tensor:
        """The vectors that codes stand for.

        Args:
            codes: integers in ``[0, codebook_size)``, shape ``[B, n, T]``; fewer than all codebooks give a
                coarser result.

        Returns:
            Shape ``[B, dim, T]``.

        Raises:
            ShapeError: there are more codes for each frame than codebooks, or they are no integers.
        """
        books = self.codebooks
        if codes.dim() != 3 or not 1 <= codes.shape[1] <= len(books) or codes.is_floating_point():
            raise ShapeError(
                "the quantiser cannot decode these",
                site="codes",
                wanted=f"integers, [batch, 1 to {len(books)} codes, time]",
                got=f"{codes.dtype}, {list(codes.shape)}",
                next_step="codes come from encode(); codes.long() makes integers of them",
            )
        index = codes.long().unbind(1)
        total = books[0].lookup(index[0])
        for book, place in zip(books[1:], index[1:], strict=False):
            total = total + book.lookup(place)
        return total.transpose(1, 2)

    # -- between signals and lists of vectors ----------------------------------------------------------------

    def _vectors(self, z: Tensor) -> Tensor:
        if z.dim() != 3 or z.shape[1] != self.dim:
            raise ShapeError(
                "the quantiser cannot take these latents",
                site="rvq",
                wanted=f"[batch, {self.dim}, time]",
                got=list(z.shape),
            )
        return z.transpose(1, 2).reshape(-1, self.dim).contiguous()

    def _signal(self, vectors: Tensor, like: Tensor) -> Tensor:
        return vectors.reshape(like.shape[0], -1, self.dim).transpose(1, 2)

    @staticmethod
    def _stack(codes: list[Tensor], like: Tensor) -> Tensor:
        return torch.stack([index.reshape(like.shape[0], -1) for index in codes], 1)
