"""Directions are the original's, angles undo and redo them, and silence is no NaN."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from torchbend.errors import ShapeError
from torchbend.rave.sphere import from_angles, normalise, to_angles


@pytest.fixture
def arrays(shared_dir: Path) -> dict[str, Tensor]:
    with np.load(shared_dir / "rave_ref/v2_spherical/vectors.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in ("enc_raw", "z", "angles")}


def test_lengths_and_angles_are_the_original_s(arrays: dict[str, Tensor]) -> None:
    assert torch.equal(normalise(arrays["enc_raw"]), arrays["z"])
    spread = float(arrays["angles"].std())
    assert float((to_angles(arrays["z"]) - arrays["angles"]).abs().max()) < 2e-6 * spread + 1e-12
    assert float((from_angles(arrays["angles"]) - arrays["z"]).abs().max()) < 1e-6


@pytest.mark.parametrize("size", [2, 3, 16])
def test_angles_undo_and_redo(size: int) -> None:
    x = normalise(torch.randn(3, size, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    angles = to_angles(x)
    assert angles.shape == (3, size - 1, 50)
    assert bool((angles.abs() <= 1).all())
    torch.testing.assert_close(from_angles(angles), x, atol=1e-12, rtol=0)
    torch.testing.assert_close(to_angles(from_angles(angles)), angles, atol=1e-10, rtol=0)


def test_angles_follow_their_definition() -> None:
    x = normalise(torch.randn(2, 5, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(2)))
    got = to_angles(x)
    for place in range(4):
        after = x[:, place:].norm(dim=1)
        angle = torch.arccos(x[:, place] / after)
        if place == 3:
            angle = torch.where(x[:, 4] < 0, 2 * math.pi - angle, angle) / 2
        torch.testing.assert_close(got[:, place], 2 * angle / math.pi - 1, atol=1e-7, rtol=0)


def test_angles_do_not_depend_on_the_length() -> None:
    x = torch.randn(1, 6, 10, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(to_angles(4 * x), to_angles(x))


def test_silence_gives_numbers() -> None:
    zeros = torch.zeros(1, 4, 3, requires_grad=True)
    unit = normalise(zeros)
    assert torch.equal(unit, torch.zeros(1, 4, 3))
    unit.sum().backward()
    assert zeros.grad is not None and bool(zeros.grad.isfinite().all())
    angles = to_angles(torch.zeros(1, 4, 3))
    assert bool(angles.isfinite().all())
    assert float(from_angles(angles).norm(dim=1).sub(1).abs().max()) < 1e-6


def test_near_a_pole_little_is_lost() -> None:
    x = normalise(torch.tensor([[[1.0], [1e-5], [-2e-5], [1e-6]]]))
    torch.testing.assert_close(from_angles(to_angles(x)), x, atol=2e-7, rtol=0)


def test_vectors_of_one_number_are_refused() -> None:
    with pytest.raises(ShapeError, match="no angles"):
        to_angles(torch.ones(1, 1, 4))
    with pytest.raises(ShapeError, match="these angles"):
        from_angles(torch.ones(1, 0, 4))
