"""Copies are in tune with what was asked, as long as asked, without clicks; a seed gives the same ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from torchbend.corpus.augmentation import CEILING, UNALTERED, Alteration, Augmentation, alter, faded
from torchbend.corpus.stretching import change_pitch_and_speed, time_stretch
from torchbend.errors import TorchbendError

RATE = 16000


def note(frequency: float, seconds: float = 2.0, rate: int = RATE, partials: int = 8) -> np.ndarray:
    """A steady harmonic tone ``[1, n]``, peak about 0.5."""
    time = np.arange(round(seconds * rate)) / rate
    waves = [np.sin(2 * np.pi * frequency * k * time + k * k) / k for k in range(1, partials + 1)]
    sound = np.sum(waves, 0)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)[None]


def pitches(sound: np.ndarray, rate: int, about: float) -> np.ndarray:
    """The pitch of frames of 50 ms in Hz, by autocorrelation near the period of ``about``."""
    size = round(0.05 * rate)
    lags = np.arange(int(rate / about / 1.06), int(rate / about * 1.06) + 2)
    found = []
    for at in range(size, len(sound) - 3 * size, size):
        frame, scores = sound[at : at + size], []
        for lag in lags:
            later = sound[at + lag : at + lag + size]
            scores.append(frame @ later / np.sqrt((frame @ frame) * (later @ later)))
        best = int(np.clip(np.argmax(scores), 1, len(lags) - 2))
        left, top, right = scores[best - 1 : best + 2]
        found.append(rate / (lags[best] + 0.5 * (left - right) / (left - 2 * top + right)))
    return np.array(found)


def cents(found: np.ndarray, wanted: float) -> np.ndarray:
    """How far pitches are from the wanted one."""
    return 1200 * np.log2(found / wanted)


@pytest.mark.parametrize("frequency", [110.0, 233.08, 622.25])
@pytest.mark.parametrize(
    ("semitones", "speed"), [(0, 0.85), (0, 1.2), (2, 0.85), (-2, 1.2), (1.37, 1.0), (-7, 1), (5, 1.1)]
)
def test_every_frame_is_in_tune_and_the_length_is_right(
    frequency: float, semitones: float, speed: float
) -> None:
    rate = 48000
    found = change_pitch_and_speed(note(frequency, rate=44100), 44100, rate, semitones, speed)
    assert found.shape == (1, round(2 * rate / speed))
    wanted = frequency * 2 ** (semitones / 12)
    errors = np.abs(cents(pitches(found[0], rate, wanted), wanted))
    assert np.median(errors) < 1
    assert errors.max() < 12


@pytest.mark.parametrize("factor", [0.75, 0.93, 1.08, 1.4])
def test_there_are_no_clicks(factor: float) -> None:
    sound = faded(note(196.0, seconds=3), RATE)
    found = time_stretch(sound, factor, RATE)
    bend = np.abs(np.diff(sound[0], n=3)).max()
    assert np.abs(np.diff(found[0], n=3)).max() < 1.1 * bend
    # Nor beats: each 20 ms are as loud as any other.
    loudness = np.sqrt(np.square(found[0, : found.shape[1] // 320 * 320]).reshape(-1, 320).mean(1))
    assert loudness[2:-3].min() > 0.85 * loudness.max()


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_noise_keeps_its_loudness_and_its_channels_stay_together(factor: float) -> None:
    noise = np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    found = time_stretch(np.stack([noise, 0.5 * noise]), factor, RATE)
    assert found[0, RATE // 2 : -RATE // 2].std() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(found[1], 0.5 * found[0], atol=1e-5)


def test_what_is_not_stretched_is_not_touched() -> None:
    sound = note(200.0)
    assert time_stretch(sound, 1.0, RATE) is sound
    np.testing.assert_array_equal(alter(sound, RATE, RATE, UNALTERED), sound)
    head = round(0.06 * RATE)
    np.testing.assert_array_equal(time_stretch(sound, 1.3, RATE)[:, :head], sound[:, :head])


@pytest.mark.parametrize("length", [0, 1, 50, 3000])
def test_short_sounds_are_stretched_too(length: int) -> None:
    assert time_stretch(note(200.0)[:, :length], 1.5, RATE).shape == (1, round(length * 1.5))


def test_a_tape_changes_both_at_once() -> None:
    for copy in range(1, 20):
        drawn = Augmentation(tape=True).draw("a.wav", copy)
        assert drawn.speed == pytest.approx(2 ** (drawn.pitch / 12), abs=1e-5)


def test_nothing_is_louder_than_full_scale() -> None:
    loud = note(150.0) * 2
    for wanted in (UNALTERED, Alteration(gain=12.0), Alteration(bells=((300.0, 9.0, 1.0),), pitch=1.0)):
        assert np.abs(alter(loud, RATE, RATE, wanted)).max() == pytest.approx(CEILING, abs=1e-6)


def test_gain_is_in_decibels_and_ends_are_faded() -> None:
    sound = note(150.0)
    found = alter(sound, RATE, RATE, Alteration(gain=-6.0))
    inner = slice(1000, -1000)
    np.testing.assert_allclose(found[:, inner], sound[:, inner] * 10 ** (-6 / 20), rtol=1e-5, atol=1e-7)
    assert np.abs(found[0, [0, -1]]).max() < 1e-3
    for speed in (0.85, 1.2):
        found = alter(sound, RATE, RATE, Alteration(speed=speed))
        assert np.abs(np.diff(found[0])).max() < 1.05 * np.abs(np.diff(sound[0])).max()
    assert np.abs(faded(np.ones((1, 3), np.float32), RATE)).max() <= 1


def test_copies_depend_on_seed_source_and_number_alone() -> None:
    first = Augmentation(seed=3)
    assert first.draw("a.wav", 2) == Augmentation(seed=3).draw("a.wav", 2)
    others = [first.draw("b.wav", 2), first.draw("a.wav", 3), Augmentation(seed=4).draw("a.wav", 2)]
    assert len({first.draw("a.wav", 2), *others}) == 4
    assert first.draw("a.wav", 0) == UNALTERED
    without = replace(first, bells=0, shelf_gain=0.0, filter_chance=0.0).draw("a.wav", 2)
    drawn = first.draw("a.wav", 2)
    assert (without.pitch, without.speed, without.gain) == (drawn.pitch, drawn.speed, drawn.gain)
    assert without.bells == () and without.low_shelf is without.low_pass is None


def test_draws_fill_their_ranges() -> None:
    ranges = Augmentation(pitch=(-1.0, 3.0), speed=(0.5, 2.0), filter_chance=0.5)
    drawn = [ranges.draw("x", copy) for copy in range(1, 250)]
    assert min(d.pitch for d in drawn) == pytest.approx(-1, abs=0.1)
    assert max(d.pitch for d in drawn) == pytest.approx(3, abs=0.1)
    assert np.mean([d.speed > 1 for d in drawn]) == pytest.approx(0.5, abs=0.08)
    assert np.mean([d.low_pass is not None for d in drawn]) == pytest.approx(0.5, abs=0.08)
    assert np.mean([d.high_pass is None for d in drawn]) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    "words",
    [
        {"pitch": (2.0, -2.0)},
        {"speed": (0.0, 1.0)},
        {"bells": -1},
        {"filter_chance": 1.5},
        {"gain": (0, np.nan)},
    ],
)
def test_ranges_that_cannot_be_are_refused(words: dict[str, object]) -> None:
    with pytest.raises(TorchbendError, match=next(iter(words))):
        Augmentation(**words)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_no_speed_is_refused(value: float) -> None:
    with pytest.raises(TorchbendError, match="above 0"):
        change_pitch_and_speed(note(200.0), RATE, RATE, speed=value)
    with pytest.raises(TorchbendError, match="above 0"):
        time_stretch(note(200.0), value, RATE)
