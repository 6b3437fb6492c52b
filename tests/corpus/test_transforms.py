"""Transforms of excerpts against what theory says of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from torchbend.corpus.filtering import allpass_response, convolve, integrate, resampled
from torchbend.corpus.transforms import (
    Crop,
    Dequantise,
    Derivative,
    Normalise,
    PhaseMangle,
    RandomPitch,
    Resample,
    standard,
)
from torchbend.errors import CorpusError

RATE = 44100


def noise(frames: int = 20000, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (channels, frames)).astype(np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sine(frequency: float, frames: int = 40000) -> np.ndarray:
    return np.sin(2 * np.pi * frequency / RATE * np.arange(frames))[None].astype(np.float32)


def heard(x: np.ndarray) -> float:
    """The frequency of the strongest partial in Hz, between bins too."""
    spectrum = np.log(np.abs(np.fft.rfft(x[0] * np.hanning(x.shape[1]))) + 1e-12)
    k = int(spectrum[1:-1].argmax()) + 1
    a, b, c = spectrum[k - 1 : k + 2]
    return (k + (a - c) / (a - 2 * b + c) / 2) * RATE / x.shape[1]


def recursion(x: np.ndarray, angle: float, radius: float) -> np.ndarray:
    """The all-pass as its definition has it, sample by sample."""
    a = [1.0, -2 * radius * math.cos(angle), radius**2]
    out = []
    x1 = x2 = y1 = y2 = 0.0
    for value in x.astype(float).tolist():
        y = a[2] * value + a[1] * x1 + a[0] * x2 - a[1] * y1 - a[2] * y2
        x1, x2, y1, y2 = value, x1, y, y1
        out.append(y)
    return np.array(out)


@pytest.mark.parametrize("frequency", [20, 150, 2000])
def test_the_allpass_is_its_recursion(frequency: float) -> None:
    angle, x = 2 * np.pi * frequency / RATE, noise(channels=2)
    y = convolve(x, allpass_response(angle, 0.99))
    assert y.dtype == np.float32
    for row, filtered in zip(x, y, strict=True):
        assert np.abs(filtered - recursion(row, angle, 0.99)).max() < 5e-6


def test_the_allpass_keeps_every_magnitude_and_turns_phases() -> None:
    pulse = np.zeros((1, 8192), np.float32)
    pulse[0, 0] = 1
    transform = PhaseMangle(low=500, high=500, probability=1)
    spectrum = np.fft.rfft(transform(pulse, rng(), RATE)[0])
    assert np.abs(np.abs(spectrum) - 1).max() < 1e-5
    z = np.exp(-2j * np.pi * np.arange(4097) / 8192)
    pole = 0.99 * np.exp(2j * np.pi * 500 / RATE)
    below = (1 - pole * z) * (1 - pole.conjugate() * z)
    above = (abs(pole) ** 2 - 2 * pole.real * z) + z**2
    assert np.abs(spectrum - above / below).max() < 1e-5
    phase = -np.unwrap(np.angle(spectrum))
    assert phase[-1] == pytest.approx(2 * np.pi, abs=0.01)


def test_frequencies_are_even_in_the_logarithm_and_four_of_five_are_turned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    angles: list[float] = []

    def response(angle: float, radius: float) -> np.ndarray:
        angles.append(angle)
        return np.array([radius])

    monkeypatch.setattr("torchbend.corpus.transforms.allpass_response", response)
    x = noise(10)
    turned = sum(not np.array_equal(PhaseMangle()(x, rng(seed), RATE), x) for seed in range(1000))
    places = np.log(np.array(angles) * RATE / (2 * np.pi) / 20) / np.log(100)
    assert 760 < turned < 840 and len(places) == turned
    assert places.min() >= 0 and places.max() <= 1
    assert abs(places.mean() - 0.5) < 0.03 and abs(places.std() - 12**-0.5) < 0.02


@pytest.mark.parametrize(("frames", "taps"), [(1, 1), (10, 30), (8192, 100), (30000, 9000)])
def test_convolution_is_convolution(frames: int, taps: int) -> None:
    x, response = noise(frames, 2), noise(taps, seed=1)[0]
    wanted = np.stack([np.convolve(row, response)[:frames] for row in x])
    assert np.abs(convolve(x, response) - wanted).max() < 1e-3


def test_noise_stays_below_the_last_bit() -> None:
    x = np.round(noise(100000) * 32767).astype(np.float32) / np.float32(32768)
    y = Dequantise()(x, rng(), RATE)
    added = (y.astype(float) - x) * 2**16
    assert added.min() >= -1e-2 and added.max() <= 1.01 and abs(added.mean() - 0.5) < 0.01
    assert abs(added.std() - 12**-0.5) < 0.01
    assert np.array_equal(np.floor((y + 2.0**-17) * 32768), x * 32768)


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.9), (1.1, 2.0), (0.7, 1.4)])
def test_pitch_moves_by_a_ratio_of_small_numbers(low: float, high: float) -> None:
    pitch = RandomPitch(low, high, frames=10000, probability=1)
    found = set()
    for seed in range(25):
        y = pitch(sine(441), rng(seed), RATE)
        factor = 441 / heard(y)
        assert low * 0.999 <= factor <= high * 1.001
        assert y.shape[1] == pytest.approx(40000 * factor, rel=1e-3) and y.shape[1] >= 10000
        assert min(abs(factor - a / b) for a, b in pitch.ratios) < 1e-3
        found.add(round(factor, 4))
    assert len(found) > 8


def test_pitch_leaves_enough_frames_and_half_of_the_sounds_alone() -> None:
    pitch = RandomPitch(0.5, 0.8, frames=1000)
    assert pitch.frames_needed(1000, RATE) == 2000
    assert all(pitch(noise(2000), rng(seed), RATE).shape[1] >= 1000 for seed in range(50))
    assert all(pitch(noise(1010), rng(seed), RATE).shape[1] == 1010 for seed in range(20))
    same = sum(pitch(noise(2000), rng(seed), RATE).shape[1] == 2000 for seed in range(200))
    assert 75 < same < 125


@pytest.mark.parametrize("bounds", [(0.999, 1.001), (30, 40), (1.2, 0.8)])
def test_a_range_without_a_ratio_is_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(CorpusError, match="no change of pitch"):
        RandomPitch(*bounds, frames=1)


def test_another_rate_keeps_frequencies_and_the_mean() -> None:
    y = Resample(48000)(sine(441) + np.float32(0.25), rng(), RATE)
    assert y.shape == (1, round(40000 * 48000 / RATE))
    assert heard(y - np.float32(0.25)) * 48000 / RATE == pytest.approx(441, rel=1e-4)
    flat = resampled(np.full((2, 100), 0.25, np.float32), 3, 2)
    assert flat.shape == (2, 67) and np.allclose(flat, 0.25, atol=1e-6)
    x = noise()
    assert Resample(RATE)(x, rng(), RATE) is x


def test_the_peak_comes_to_full_scale_by_30_db_at_most() -> None:
    x = np.array([[0.1, -0.4], [0.2, 0.3]], np.float32)
    assert np.allclose(Normalise()(x, rng(), RATE), x / 0.4)
    assert np.allclose(Normalise()(x * 1e-3, rng(), RATE), x * 1e-3 * 10**1.5)
    assert not Normalise()(np.zeros((1, 5), np.float32), rng(), RATE).any()


def test_the_derivative_is_half_the_difference_and_can_be_undone() -> None:
    x = np.array([[1.0, 0.5, -0.5]], np.float32)
    assert Derivative()(x, rng(), RATE).tolist() == [[0.5, -0.25, -0.5]]
    tone = sine(1000)
    back = integrate(Derivative()(tone, rng(), RATE), RATE)
    ratio = (
        np.fft.rfft(back[0, 20000:] * np.hanning(20000))[454]
        / np.fft.rfft(tone[0, 20000:] * np.hanning(20000))[454]
    )
    assert abs(ratio) == pytest.approx(1, abs=0.01)
    assert np.abs(integrate(np.ones((1, 40000), np.float32), RATE)[0, -1]) < 0.05


def test_a_crop_is_a_piece_and_short_sounds_stay() -> None:
    x = np.arange(100, dtype=np.float32)[None]
    starts = set()
    for seed in range(200):
        y = Crop(90)(x, rng(seed), RATE)
        assert y.shape == (1, 90) and (np.diff(y) == 1).all()
        starts.add(int(y[0, 0]))
    assert starts == set(range(11))
    assert np.array_equal(Crop(200)(x, rng(), RATE), x)


def test_no_transform_writes_into_what_it_got() -> None:
    x = noise(5000)
    before = x.copy()
    augment = ("mute", "gain", "compress", "masking")
    every = standard(
        2000, RATE, 48000, rand_pitch=(0.7, 1.4), normalise=True, derivative=True, augment=augment
    )
    for seed in range(10):
        for transform in every:
            assert transform(x, rng(seed), RATE).dtype == np.float32
    assert np.array_equal(x, before)


def test_the_standard_order() -> None:
    every = standard(100, RATE, 48000, (0.7, 1.4), True, True, ["gain", "mute"])
    names = [type(transform).__name__ for transform in every]
    assert names == (
        ["RandomPitch", "Crop", "PhaseMangle", "Dequantise", "Resample", "Crop", "Normalise", "Derivative"]
        + ["RandomGain", "RandomMute"]
    )
    assert [type(transform).__name__ for transform in standard(100, RATE)] == names[1:4]
    with pytest.raises(CorpusError, match="no such augmentation"):
        standard(100, RATE, augment=["reverb"])
