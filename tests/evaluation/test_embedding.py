"""The distance of collections: known normal distributions, and timbres that are near or far."""

from __future__ import annotations

import math

import pytest
import torch

from torchbend.errors import ShapeError, TorchbendError
from torchbend.evaluation import embedding_distance, frechet_distance, timbre_features

from .signals import RATE, harmonics, noise, saw, sine


def cloud(mean: torch.Tensor, covariance: torch.Tensor, count: int = 200) -> torch.Tensor:
    """Vectors whose mean and covariance are exactly these."""
    draws = torch.randn(count, len(mean), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centred = draws - draws.mean(0)
    white = centred @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(centred.T))).T
    return white @ torch.linalg.cholesky(covariance).T + mean


def test_normal_distributions_have_the_distance_of_the_formula() -> None:
    one, other = torch.tensor([1.0, 4.0]).double(), torch.tensor([9.0, 1.0]).double()
    a = cloud(torch.zeros(2).double(), one.diag())
    b = cloud(torch.tensor([3.0, 4.0]).double(), other.diag())
    expected = 25 + float((one.sqrt() - other.sqrt()).square().sum())
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_a_turned_covariance() -> None:
    angle = math.pi / 2
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).double()
    shape = torch.tensor([[4.0, 0.0], [0.0, 1.0]]).double()
    a, b = (cloud(torch.zeros(2).double(), c) for c in (shape, turn @ shape @ turn.T))
    # The axes are exchanged: 2 * (4 + 1) - 2 * (sqrt(4) + sqrt(4)).
    assert frechet_distance(a, b) == pytest.approx(2.0, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(2.0, rel=1e-9)


def test_features_have_one_shape_and_are_not_those_of_the_level_alone() -> None:
    assert timbre_features(torch.zeros(100), RATE).shape == (1, 37)
    sound = saw(220) + noise(amplitude=0.02)
    loud, soft = timbre_features(sound, RATE), timbre_features(0.5 * sound, RATE)
    assert loud.shape == (4, 37)
    moved = (loud - soft).abs().mean(0)
    # A gain moves every band by 6.02 dB: the first cosine and nothing else.
    assert float(moved[0]) == pytest.approx(6.0206, rel=0.02)
    assert moved[1:16].max() < 0.05 * moved[0]


def test_a_tremolo_shows_in_its_octave() -> None:
    time = torch.arange(2 * RATE) / RATE
    for rate, octave in ((6.0, 1), (24.0, 3)):
        trembling = saw(220, 2) * (1 + 0.5 * torch.sin(2 * math.pi * rate * time))
        assert int(timbre_features(trembling, RATE)[:, 32:].mean(0).argmax()) == octave


def test_near_timbres_are_nearer_than_far_ones() -> None:
    notes = [saw(f) for f in (180, 220, 260)]
    same, brighter = [saw(f) for f in (190, 230, 250)], [0.5 * x for x in notes]
    hollow = [harmonics(f, {1: 0.3, 3: 0.1, 5: 0.05}) for f in (180, 220, 260)]
    hiss = [noise(seed=k) for k in range(3)]
    found = [embedding_distance(notes, other, RATE) for other in (notes, same, brighter, hollow, hiss)]
    assert found[0] == pytest.approx(0, abs=1e-4)
    assert 0 < found[1] < min(found[2:])
    assert found[1] < 0.2 * found[4]


def test_too_little_is_told() -> None:
    with pytest.raises(ShapeError, match="a second or more"):
        embedding_distance([sine(440)], [], RATE)
    with pytest.raises(ShapeError, match="two sets"):
        frechet_distance(torch.ones(3, 2), torch.ones(3, 4))
    with pytest.raises(TorchbendError, match="8000"):
        timbre_features(torch.ones(100), 4000)
