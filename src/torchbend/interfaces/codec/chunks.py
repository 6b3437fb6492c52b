"""Sound in overlapping pieces that are coded one by one, as EnCodec's 48 kHz model does."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from torchbend.errors import ShapeError

__all__ = ["Chunks"]


class Chunks:
    """Where pieces begin and end.

    Args:
        length: samples of a piece.
        stride: samples from one piece to the next.
        hop: samples for each frame of codes.
    """

    def __init__(self, length: int, stride: int, hop: int) -> None:
        self.length, self.stride, self.hop = length, stride, hop

    def cut(self, sound: Tensor) -> list[Tensor]:
        """The pieces of a sound ``[..., T]``; the last ones may be shorter."""
        total = sound.shape[-1]
        return [sound[..., start : start + self.length] for start in range(0, total, self.stride)]

    def frames(self, samples: int) -> list[int]:
        """Frames of codes of each piece, for a sound of so many samples."""
        starts = range(0, samples, self.stride)
        return [-(-min(self.length, samples - start) // self.hop) for start in starts]

    def split(self, x: Tensor) -> list[Tensor]:
        """Frames ``[..., frames]`` piece by piece.

        Raises:
            ShapeError: no sound has so many frames.
        """
        total = x.shape[-1]
        low, high = 1, (total + 1) * self.hop
        while low < high:  # the shortest sound that has as many
            middle = (low + high) // 2
            low, high = (low, middle) if sum(self.frames(middle)) >= total else (middle + 1, high)
        found = self.frames(low)
        if sum(found) != total:
            raise ShapeError(
                "these are not the frames of whole pieces",
                site="codes",
                wanted=f"as many frames as encode gives, about {self.length // self.hop} for each piece",
                got=total,
                next_step="pass all that encode gave; each piece was coded by itself",
            )
        return list(torch.split(x, found, -1))

    def joined(self, pieces: Sequence[Tensor]) -> Tensor:
        """Pieces of sound ``[..., T]`` put together: where they overlap, one fades into the other."""
        full = pieces[0].shape[-1]
        time = torch.linspace(0, 1, full + 2, device=pieces[0].device, dtype=pieces[0].dtype)[1:-1]
        weight = 0.5 - (time - 0.5).abs()
        total = self.stride * (len(pieces) - 1) + pieces[-1].shape[-1]
        out = pieces[0].new_zeros(*pieces[0].shape[:-1], total)
        heard = pieces[0].new_zeros(total)
        for number, piece in enumerate(pieces):
            size, start = min(piece.shape[-1], total - number * self.stride), number * self.stride
            out[..., start : start + size] += weight[:size] * piece[..., :size]
            heard[start : start + size] += weight[:size]
        return out / heard
