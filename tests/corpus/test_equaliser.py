"""Filters have the gains that they are named after, and sound as recursive ones would."""

from __future__ import annotations

import numpy as np
import pytest

from torchbend.corpus.equaliser import Biquad, filtered, high_pass, low_pass, peak, shelf, through

RATE = 48000


def decibels(biquad: Biquad, *frequencies: float) -> list[float]:
    """The gain at frequencies in Hz."""
    gains = biquad.response(2 * np.pi * np.array(frequencies) / RATE)
    return list(20 * np.log10(np.abs(gains) + 1e-12))


@pytest.mark.parametrize("gain", [-6.0, 4.0])
def test_a_bell_has_its_gain_at_its_frequency(gain: float) -> None:
    found = decibels(peak(1000, gain, 1.0, RATE), 1000, 10, 23900)
    assert found == pytest.approx([gain, 0, 0], abs=0.01)


@pytest.mark.parametrize("gain", [-6.0, 4.0])
def test_a_shelf_has_its_gain_on_its_side(gain: float) -> None:
    low, high = shelf(500, gain, RATE, high=False), shelf(4000, gain, RATE, high=True)
    assert decibels(low, 5, 500, 20000) == pytest.approx([gain, gain / 2, 0], abs=0.01)
    assert decibels(high, 5, 4000, 23990) == pytest.approx([0, gain / 2, gain], abs=0.01)


def test_passes_lose_half_the_power_at_their_cutoff() -> None:
    assert decibels(low_pass(2000, RATE), 10, 2000) == pytest.approx([0, -3.01], abs=0.01)
    assert decibels(high_pass(100, RATE), 20000, 100) == pytest.approx([0, -3.01], abs=0.01)
    assert decibels(low_pass(500, RATE), 4000)[0] == pytest.approx(-36, abs=1)
    assert decibels(high_pass(800, RATE), 100)[0] == pytest.approx(-36, abs=1)


def test_above_nyquist_a_filter_stays_finite() -> None:
    for biquad in (low_pass(16000, 16000), peak(9000, 6, 1, 16000), shelf(20000, 3, 16000, high=True)):
        assert np.isfinite(biquad.response(np.linspace(0, np.pi, 100))).all()


def test_the_convolution_is_the_recursion() -> None:
    biquad = peak(300, 6, 1.4, RATE)
    sound = np.random.default_rng(0).standard_normal((2, 3000)).astype(np.float32)
    b, a = np.array(biquad.b) / biquad.a[0], np.array(biquad.a) / biquad.a[0]
    wanted = np.zeros((2, 3002))
    fed = np.pad(sound.astype(np.float64), ((0, 0), (2, 0)))
    for n in range(2, 3002):
        recent = fed[:, n] * b[0] + fed[:, n - 1] * b[1] + fed[:, n - 2] * b[2]
        wanted[:, n] = recent - a[1] * wanted[:, n - 1] - a[2] * wanted[:, n - 2]
    np.testing.assert_allclose(filtered(sound, biquad.response), wanted[:, 2:], atol=1e-5)


def test_blocks_leave_no_seam() -> None:
    length = 150000
    tone = np.sin(2 * np.pi * 1000 * np.arange(length) / RATE).astype(np.float32)[None]
    found = filtered(tone, through([peak(1000, 6, 1, RATE), low_pass(1000, RATE)]))
    assert found.shape == tone.shape
    steady = found[0, 5000:].reshape(-1, 1000)
    assert np.abs(steady).max(1) == pytest.approx(10 ** ((6 - 3.01) / 20), abs=0.003)
