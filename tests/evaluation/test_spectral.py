"""Spectral distances are 0 for equal sounds, and what theory says for scaled ones."""

from __future__ import annotations

import math

import pytest
import torch

from torchbend.errors import NonFiniteError, ShapeError, TorchbendError
from torchbend.evaluation import log_mel_distance, spectral_distance
from torchbend.rave.config import DistanceConfig
from torchbend.rave.losses.distance import AudioDistance

from .signals import RATE, noise, saw


def test_equal_sounds_have_no_distance() -> None:
    x = saw(220)
    assert spectral_distance(x, x) == 0
    assert log_mel_distance(x, x, RATE) == 0


@pytest.mark.parametrize("gain", [0.5, 0.25])
def test_a_gain_moves_by_its_square_and_its_logarithm(gain: float) -> None:
    x = noise()
    expected = 5 * ((1 - gain) ** 2 + abs(math.log(gain)))
    assert spectral_distance(x, gain * x) == pytest.approx(expected, rel=1e-3)
    assert log_mel_distance(x, gain * x, RATE) == pytest.approx(-20 * math.log10(gain), rel=1e-4)


def test_it_is_the_distance_that_training_minimises() -> None:
    x, y = noise(seed=1).reshape(2, -1), noise(seed=2).reshape(2, -1)
    assert spectral_distance(x, y) == pytest.approx(float(AudioDistance()(x[None], y[None])))
    config = DistanceConfig(scales=(512,), log_epsilon=1.0)
    assert spectral_distance(x, y, config) == pytest.approx(float(AudioDistance(config)(x[None], y[None])))


def test_another_pitch_is_farther_than_another_phase() -> None:
    air = noise(amplitude=0.003)
    x = saw(440) + air
    other_phase, other_pitch = torch.roll(x, 25), saw(466) + air
    assert spectral_distance(x, other_phase) < 0.5 * spectral_distance(x, other_pitch)
    assert log_mel_distance(x, other_phase, RATE) < 0.2 * log_mel_distance(x, other_pitch, RATE)


def test_what_nobody_hears_has_no_mel_distance() -> None:
    x = noise(amplitude=1e-6)
    assert log_mel_distance(x, torch.zeros_like(x), RATE) == 0
    assert log_mel_distance(x.numpy(), x.numpy() * 0.5, RATE) == 0


@pytest.mark.parametrize(
    ("wanted", "made", "error", "said"),
    [
        (torch.ones(4096), torch.ones(4095), ShapeError, "cut both"),
        (torch.ones(1, 4096), torch.ones(2, 4096), ShapeError, "sample by sample"),
        (torch.ones(2, 1, 4096), torch.ones(2, 1, 4096), ShapeError, "one by one"),
        (torch.ones(4096).int(), torch.ones(4096), ShapeError, "no sound"),
        (torch.ones(4096), torch.full((4096,), math.nan), NonFiniteError, "made"),
        (torch.ones(512), torch.ones(512), ShapeError, "longer audio"),
        (torch.zeros(4096), torch.ones(4096), TorchbendError, "silence"),
    ],
)
def test_what_cannot_be_compared_is_told(
    wanted: torch.Tensor, made: torch.Tensor, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        spectral_distance(wanted, made)
