"""Images on their way out of a model: side by side, and into a file."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from torchbend.display import replacing
from torchbend.errors import ShapeError, TorchbendError
from torchbend.plots import rgb_png

__all__ = ["grid", "write_image"]

_GAP = 2


def grid(images: Tensor, columns: int | None = None) -> Tensor:
    """Images side by side as one, with a white line of two pixels between them.

    Args:
        images: shape ``[B, C, H, W]`` or ``[C, H, W]``, 1 or 3 channels, from 0 (black) to 1.
        columns: images in a row; by default as many as rows, or one more.

    Returns:
        Shape ``[3, height, width]``, on the CPU, clamped to 0 to 1.

    Raises:
        ShapeError: these are no images.
    """
    batch = images[None] if images.dim() == 3 else images
    if batch.dim() != 4 or batch.shape[1] not in (1, 3) or batch.numel() == 0:
        raise ShapeError(
            "these are no images",
            site="images",
            wanted="[B, C, H, W] with 1 or 3 channels",
            got=list(images.shape),
        )
    if columns is not None and columns < 1:
        raise ShapeError("a row holds at least one image", site="columns", wanted="1 or more", got=columns)
    wide = min(len(batch), columns or math.ceil(math.sqrt(len(batch))))
    tiles = batch.detach().float().cpu().clamp(0, 1).expand(-1, 3, -1, -1)
    tiles = F.pad(tiles, (0, _GAP, 0, _GAP), value=1.0)
    missing = -len(tiles) % wide
    tiles = torch.cat([tiles, tiles.new_ones(missing, *tiles.shape[1:])])
    high, across = tiles.shape[2:]
    rows = tiles.reshape(-1, wide, 3, high, across).permute(2, 0, 3, 1, 4)
    return rows.reshape(3, -1, wide * across)[:, :-_GAP, :-_GAP]


def write_image(path: str | os.PathLike[str], images: Tensor, columns: int | None = None) -> Path:
    """Write images to a PNG file, several of them as a `grid`.

    Args:
        path: of the file, which ends in ``.png``; it appears whole or not at all.
        images, columns: as of `grid`.

    Returns:
        The file.

    Raises:
        ShapeError: these are no images.
        TorchbendError: the file has another ending, or cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise TorchbendError("images are written as PNG", site=str(path), wanted="NAME.png", got=target.name)
    whole = grid(images, columns)
    pixels = torch.nan_to_num(whole).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy()
    try:
        with replacing(target) as temporary:
            temporary.write_bytes(rgb_png(pixels))
    except OSError as error:
        raise TorchbendError("the image cannot be written", site=str(path), got=str(error)) from error
    return target
