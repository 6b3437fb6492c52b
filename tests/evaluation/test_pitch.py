"""The pitch of sounds whose pitch is known, and the error between two sounds a known interval apart."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from torchbend.audio import read_audio
from torchbend.errors import TorchbendError
from torchbend.evaluation import PitchSettings, cents, pitch_error, track_pitch

from .signals import RATE, harmonics, noise, saw, sine

SEMITONE = 2 ** (1 / 12)
STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
SAX = ("db2_p_rr1", "bb2_f_rr1", "g3_p_rr2", "f4_p_rr1", "ab4_f_rr2")


@pytest.mark.parametrize("frequency", [82.4, 110, 146.8, 261.6, 440, 830.6, 1318.5])
def test_sines_and_saws_are_found_within_two_cents(frequency: float) -> None:
    for sound in (sine(frequency), saw(frequency)):
        track = track_pitch(sound, RATE)
        assert track.voiced.all()
        apart = cents(track.f0, torch.tensor(frequency, dtype=torch.float64))
        assert apart.abs().max() < 2


def test_a_missing_fundamental_is_found() -> None:
    track = track_pitch(harmonics(150, {2: 0.2, 3: 0.2, 4: 0.2, 5: 0.1}), RATE)
    assert track.voiced.all()
    assert (track.f0 - 150).abs().max() < 0.2


def test_a_glide_is_followed() -> None:
    time = torch.arange(RATE, dtype=torch.float64) / RATE
    phase = 2 * math.pi * 200 * time * (1 + time / 2)
    track = track_pitch(torch.sin(phase).float(), RATE)
    expected = 200 * (1 + track.time)
    assert track.voiced.all()
    # A frame mixes the pitches of its 93 ms: a few cents of this glide of an octave a second.
    assert cents(track.f0, expected).abs().median() < 20


def test_noise_and_silence_have_no_pitch() -> None:
    assert track_pitch(noise(), RATE).voiced.double().mean() < 0.02
    assert not track_pitch(torch.zeros(RATE), RATE).voiced.any()


def test_a_tone_in_noise_has_its_pitch_and_a_quiet_end_has_none() -> None:
    track = track_pitch(saw(220) + noise(amplitude=0.02), RATE)
    assert track.voiced.all()
    assert cents(track.f0, torch.tensor(220.0)).abs().max() < 25
    faded = track_pitch(torch.cat([saw(220), 0.001 * saw(220)]), RATE)
    assert 0.45 < faded.voiced.double().mean() < 0.6


def test_strong_noise_does_not_hide_a_pitch() -> None:
    tone = saw(220)
    for decibels, share in ((6, 1.0), (0, 0.9)):
        loud = noise(amplitude=float(tone.std()) * 10 ** (-decibels / 20))
        assert pitch_error(tone, tone + loud, RATE).share_within_50_cents >= share


@pytest.mark.parametrize("rate", [22050, 48000])
def test_other_sample_rates(rate: int) -> None:
    track = track_pitch(saw(330, rate=rate), rate)
    assert cents(track.f0, torch.tensor(330.0)).abs().max() < 3
    assert float(track.time.diff().mean()) == pytest.approx(512 / 44100, rel=0.01)


def test_the_names_of_the_saxophone_notes(shared_dir: Path) -> None:
    """Concert pitch, with c3 as middle C: the lowest, db2, is the lowest note of an alto saxophone."""
    for name in SAX:
        sound, rate = read_audio(shared_dir / "audio" / "sax" / f"{name}_cnd.flac")
        note = re.match(r"([a-g])(b?)(\d)", name)
        assert note is not None
        midi = 12 * (int(note[3]) + 2) + STEPS[note[1]] - len(note[2])
        track = track_pitch(sound, rate)
        apart = cents(track.f0, torch.tensor(440 * SEMITONE ** (midi - 69)))[track.voiced]
        assert track.voiced.double().mean() > 0.9
        assert (apart.abs() < 50).double().mean() > 0.97, name


def test_equal_sounds_have_no_error() -> None:
    error = pitch_error(saw(220), saw(220), RATE)
    assert error[:3] == (1, 0, 0)
    assert error.voiced_frames == 79


@pytest.mark.parametrize(("interval", "share"), [(40, 1.0), (60, 0.0), (1200, 0.0)])
def test_an_interval_is_measured_in_cents(interval: int, share: float) -> None:
    error = pitch_error(saw(220), saw(220 * 2 ** (interval / 1200)), RATE)
    assert error.share_within_50_cents == share
    assert error.median_cents == pytest.approx(interval, abs=1)
    assert error.voicing_error == 0


def test_a_lost_pitch_counts_as_wrong() -> None:
    half = torch.cat([saw(220), noise()])
    error = pitch_error(saw(220, 2), half, RATE)
    assert error.share_within_50_cents == pytest.approx(0.5, abs=0.05)
    assert error.median_cents < 1
    assert error.voicing_error == pytest.approx(0.5, abs=0.05)
    nothing = pitch_error(noise(), saw(220), RATE)
    assert nothing.voicing_error > 0.9


def test_no_voiced_frame_gives_no_share() -> None:
    error = pitch_error(torch.zeros(RATE), saw(220), RATE)
    assert math.isnan(error.share_within_50_cents) and math.isnan(error.median_cents)
    assert error.voicing_error == 1 and error.voiced_frames == 0


def test_a_short_sound_has_one_frame() -> None:
    assert track_pitch(torch.ones(10), RATE).f0.shape == (1,)


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(TorchbendError, match="three periods"):
        PitchSettings(low=20)
    with pytest.raises(TorchbendError, match="2800 Hz"):
        track_pitch(torch.zeros(100), 2000)
