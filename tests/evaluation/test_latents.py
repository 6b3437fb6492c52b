"""Statistics of latents that were drawn with known ones."""

from __future__ import annotations

import pytest
import torch

from torchbend.errors import ShapeError
from torchbend.evaluation import latent_statistics


def test_moments_and_active_dimensions() -> None:
    frames = torch.linspace(-1, 1, 1001)
    z = torch.stack([frames, 0.01 * frames + 3, torch.zeros(1001)])
    found = latent_statistics(z)
    assert found.mean.tolist() == pytest.approx([0, 3, 0], abs=1e-6)
    assert found.std.tolist() == pytest.approx([0.578, 0.00578, 0], abs=1e-3)
    assert found.active == 1
    assert found.total_divergence == 0 and not found.divergence.any()


def test_the_divergence_is_that_of_the_formula() -> None:
    mean, scale = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([1.0, 1.0, 0.5])
    shape = (2, 3, 7)
    found = latent_statistics(mean[None, :, None].expand(shape), scale[None, :, None].expand(shape))
    narrow = 0.5 * (0.25 - 2 * torch.tensor(0.5).log().item() - 1)
    assert found.divergence.tolist() == pytest.approx([0, 0.5, narrow], abs=1e-6)
    assert found.total_divergence == pytest.approx(0.5 + narrow)
    assert found.active == 0


def test_a_batch_counts_as_more_frames() -> None:
    z = torch.randn(2, 3, 50, generator=torch.Generator().manual_seed(0))
    together, apart = latent_statistics(z), latent_statistics(torch.cat([z[0], z[1]], 1))
    torch.testing.assert_close(together.std, apart.std)
    torch.testing.assert_close(together.mean, apart.mean)


def test_what_has_no_statistics_is_told() -> None:
    for z, scales in ((torch.ones(3, 1), None), (torch.ones(4), None), (torch.ones(2, 5), torch.ones(2, 4))):
        with pytest.raises(ShapeError, match="two frames"):
            latent_statistics(z, scales)
