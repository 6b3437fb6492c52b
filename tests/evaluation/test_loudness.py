"""Loudness in dB(A): the curve of the standard, and gains that come back as decibels."""

from __future__ import annotations

import pytest
import torch

from torchbend.errors import TorchbendError
from torchbend.evaluation import a_weighting, loudness, loudness_error

from .signals import RATE, noise, saw, sine

# IEC 61672-1, table 3; the exact frequencies of third octaves are powers of ten.
STANDARD = {15: -39.4, 18: -26.2, 21: -16.1, 24: -8.6, 27: -3.2, 30: 0.0, 33: 1.2, 39: -1.1}
EXACT = {10 ** (band / 10): level for band, level in STANDARD.items()}


def test_the_curve_is_that_of_the_standard() -> None:
    found = a_weighting(torch.tensor(list(EXACT)))
    torch.testing.assert_close(found, torch.tensor(list(EXACT.values())), atol=0.06, rtol=0)


@pytest.mark.parametrize("band", [21, 30, 39])
def test_sines_of_full_scale_have_the_level_of_the_curve(band: int) -> None:
    level = loudness(sine(10 ** (band / 10), amplitude=1.0), RATE)[4:-4]
    torch.testing.assert_close(level, torch.full_like(level, STANDARD[band]), atol=0.15, rtol=0)


@pytest.mark.parametrize("decibels", [-6.0, 3.0, -20.0])
def test_a_gain_comes_back(decibels: float) -> None:
    x = saw(220)
    assert loudness_error(x, x * 10 ** (decibels / 20), RATE) == pytest.approx(abs(decibels), rel=1e-3)


def test_silence_is_not_heard() -> None:
    silence = torch.zeros(RATE)
    assert loudness_error(silence, silence, RATE) == 0
    assert loudness_error(noise(amplitude=1e-6), silence, RATE) == 0
    assert loudness(silence, RATE).max() == -120
    lost = loudness_error(sine(1000, amplitude=1.0), silence, RATE)
    assert lost == pytest.approx(70, abs=0.5)


def test_a_size_that_cannot_work_is_refused() -> None:
    with pytest.raises(TorchbendError, match="hop"):
        loudness(torch.ones(100), RATE, hop=0)
