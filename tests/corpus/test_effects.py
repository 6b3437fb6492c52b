"""Augmentations while training: gains that are really applied, compressors that follow their curve."""

from __future__ import annotations

import numpy as np
import pytest

from torchbend.corpus.compand import Compress, RandomCompress, compand, curve, levels
from torchbend.corpus.effects import FrequencyMasking, RandomGain, RandomMute
from torchbend.errors import CorpusError

RATE = 44100


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def decibels(x: np.ndarray | float) -> np.ndarray:
    return 20 * np.log10(np.abs(x))


def test_one_excerpt_in_ten_is_silence() -> None:
    x = np.ones((2, 10), np.float32)
    given = [RandomMute()(x, rng(seed), RATE) for seed in range(1000)]
    assert 70 < sum(not y.any() for y in given) < 130
    assert all(not y.any() or np.array_equal(y, x) for y in given)


def test_the_gain_is_applied_and_even_in_db() -> None:
    x = np.full((1, 4), 0.5, np.float32)
    gains = np.array([decibels(RandomGain(probability=1)(x, rng(k), RATE)[0, 0] / 0.5) for k in range(500)])
    assert gains.min() == pytest.approx(-6, abs=0.1) and gains.max() == pytest.approx(3, abs=0.1)
    assert gains.mean() == pytest.approx(-1.5, abs=0.4)
    same = sum(np.array_equal(RandomGain()(x, rng(k), RATE), x) for k in range(500))
    assert 200 < same < 300


def test_a_gain_stops_at_full_scale() -> None:
    x = np.array([[0.9, -0.45]], np.float32)
    louder = RandomGain(3, 3, probability=1)
    assert louder(x, rng(), RATE) == pytest.approx(x / 0.9)
    free = RandomGain(3, 3, probability=1, limit=False)
    assert free(x, rng(), RATE) == pytest.approx(x * 10 ** (3 / 20))


def test_masked_bins_are_silent_and_others_stay() -> None:
    x = rng().standard_normal((1, 60000)).astype(np.float32)
    for seed in range(5):
        y = FrequencyMasking(probability=1)(x, rng(seed), RATE)
        assert y.shape == x.shape
        window = np.hanning(4096)
        frames = [np.abs(np.fft.rfft(s[0, 20000:24096] * window)) for s in (x, y)]
        quiet = np.flatnonzero(frames[1] < 0.05 * frames[0])
        assert np.median(frames[1] / frames[0]) == pytest.approx(1, abs=1e-2)
        assert len(quiet) <= 80 and (len(quiet) == 0 or quiet[-1] - quiet[0] < 81)
    assert np.array_equal(FrequencyMasking(probability=0)(x, rng(), RATE), x)


def test_a_level_follows_by_its_time() -> None:
    x = np.concatenate([np.zeros((1, 3 * RATE)), np.ones((1, RATE))], axis=1)
    level = levels(x, RATE, 0.1, 0.1)[0]
    assert level[0] == pytest.approx(1, abs=1e-3)
    assert level[RATE // 10 - 1] == pytest.approx(np.exp(-1), rel=1e-6)
    assert level[3 * RATE + RATE // 10 - 1] == pytest.approx(1 - np.exp(-1), rel=1e-6)


def test_blocks_are_the_recursion() -> None:
    x = rng().uniform(0, 1, (2, 20000))
    assert np.abs(levels(x, RATE, 0.1, 0.1) - levels(x, RATE, 0.1, 0.1 + 1e-12)).max() < 1e-9
    assert np.array_equal(levels(x, RATE, 0, 0), x)
    fast = levels(x, RATE, 0.0, 0.05)
    assert (fast >= x - 1e-12).all()


def test_the_curve_of_the_manual() -> None:
    points = [(-70.0, -70.0), (-60.0, -20.0), (0.0, 0.0)]
    at = np.array([-100.0, -70, -65, -60, -30, 0, 6])
    assert curve(at, points, knee=0).tolist() == pytest.approx([-100, -70, -45, -20, -10, 0, 6])
    fine = np.arange(-90.0, -5, 0.001)
    rounded = curve(fine, points, knee=6)
    assert np.abs(np.diff(rounded)).max() < 0.0051 and np.abs(np.diff(rounded, 2)).max() < 1e-5
    assert curve(np.array([-60.0]), points, 6)[0] == pytest.approx(-20 + (1 / 3 - 5) * 6 / 8)


@pytest.mark.parametrize("level", [-70.0, -50.0, -40.0, -20.0, -3.0])
def test_a_steady_level_becomes_what_the_curve_says(level: float) -> None:
    x = np.full((1, 2 * RATE), 10 ** (level / 20), np.float32)
    points = [(-80.0, -80.0), (-40.0, -25.0), (0.0, 0.0)]
    y = compand(x, RATE, points)
    assert decibels(y[0, -1]) == pytest.approx(curve(np.array([level]), points)[0], abs=0.02)


def test_the_random_compressor_draws_what_its_threshold_becomes() -> None:
    x = np.full((1, RATE), 0.01, np.float32)
    ends = [decibels(RandomCompress(probability=1)(x, rng(k), RATE)[0, -1]) for k in range(20)]
    assert min(ends) < -49 and max(ends) > -12 and max(ends) <= 0
    same = sum(np.array_equal(RandomCompress()(x[:, :100], rng(k), RATE), x[:, :100]) for k in range(200))
    assert 20 < same < 60


def test_the_fixed_compressor_reads_its_lookup() -> None:
    x = np.full((1, 2 * RATE), 10 ** (-45 / 20), np.float32)
    assert decibels(Compress()(x, rng(), RATE)[0, -1]) == pytest.approx(-15, abs=0.02)
    assert decibels(Compress(gain=-6)(x, rng(), RATE)[0, -1]) == pytest.approx(-21, abs=0.02)
    assert np.abs(Compress()(np.ones((1, 9), np.float32), rng(), RATE)).max() <= 1
    for lookup in ("", "6:a,b", "-3:-70,-60,-20", "6:0,-70,-60,-20"):
        with pytest.raises(CorpusError, match="compressor"):
            Compress(lookup=lookup)
