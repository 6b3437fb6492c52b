"""Images side by side, and in files that another program reads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from torchbend.errors import ShapeError, TorchbendError
from torchbend.interfaces.images import grid, write_image


def test_a_grid_holds_each_image_at_its_place() -> None:
    images = torch.arange(5.0).div(10)[:, None, None, None].expand(5, 1, 4, 6)
    whole = grid(images)
    assert whole.shape == (3, 2 * 4 + 2, 3 * 6 + 2 * 2)
    for number in range(5):
        top, left = number // 3 * 6, number % 3 * 8
        assert torch.equal(whole[:, top : top + 4, left : left + 6], images[number].expand(3, -1, -1))
    assert bool((whole[:, 4:6] == 1).all()) and bool((whole[:, 6:, 16:] == 1).all())
    assert grid(images, columns=5).shape == (3, 4, 5 * 6 + 4 * 2)


def test_a_file_holds_the_pixels(tmp_path) -> None:
    pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    image = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0)) * 1.4 - 0.2
    path = write_image(tmp_path / "new" / "image.png", image)
    seen = np.asarray(pil.open(path))
    assert seen.shape == (5, 7, 3)
    assert np.array_equal(seen, image.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy())


def test_what_is_no_image_is_told(tmp_path) -> None:
    with pytest.raises(ShapeError, match=r"\[B, C, H, W\]"):
        grid(torch.rand(2, 2, 4, 4))
    with pytest.raises(ShapeError, match="at least one"):
        grid(torch.rand(2, 3, 4, 4), columns=0)
    with pytest.raises(TorchbendError, match=r"NAME\.png"):
        write_image(tmp_path / "image.jpg", torch.rand(3, 4, 4))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(TorchbendError, match="cannot be written"):
        write_image(tmp_path / "folder.png", torch.rand(3, 4, 4))
    assert not [p for p in tmp_path.iterdir() if p.is_file()]
