"""The vocoder's noise has the levels of the sound, and none of its pitch."""

from __future__ import annotations

import pytest
import torch

from torchbend.errors import TorchbendError
from torchbend.evaluation import (
    log_mel_distance,
    loudness_error,
    pitch_error,
    spectral_distance,
    track_pitch,
    vocoder_noise,
)
from torchbend.plots import log_mel

from .signals import RATE, noise, saw


def test_noise_keeps_the_levels_of_noise() -> None:
    x = noise(2.0)
    made = vocoder_noise(x, RATE)
    assert made.shape == (1, 2 * RATE)
    bands = [log_mel(y, RATE, n_mels=16).mean(-1) for y in (x, made[0])]
    assert (bands[0] - bands[1]).abs().max() < 1
    assert float(made.std()) == pytest.approx(0.1, rel=0.05)


def test_a_saw_keeps_its_level_over_time_and_loses_its_pitch() -> None:
    x = saw(440, 2.0) * torch.linspace(0.1, 1, 2 * RATE)
    made = vocoder_noise(x, RATE)[0]
    assert loudness_error(x, made, RATE) < 3
    assert track_pitch(made, RATE).voiced.double().mean() < 0.1
    assert pitch_error(x, made, RATE).share_within_50_cents < 0.1


def test_it_is_nearer_than_bare_noise_and_farther_than_a_small_change() -> None:
    x = saw(220, 2.0)
    made, small = vocoder_noise(x, RATE)[0], 0.9 * x
    for distance in (spectral_distance, lambda a, b: log_mel_distance(a, b, RATE)):
        assert distance(x, small) < distance(x, made) < distance(x, noise(2.0))


def test_channels_seeds_and_silence() -> None:
    x = torch.stack([saw(220), torch.zeros(RATE)])
    made = vocoder_noise(x, RATE)
    assert made.shape == x.shape and not made[1].any()
    torch.testing.assert_close(made, vocoder_noise(x, RATE))
    assert not torch.equal(made, vocoder_noise(x, RATE, seed=1))
    assert vocoder_noise(torch.ones(10), RATE).shape == (1, 10)


def test_a_vocoder_needs_a_band() -> None:
    with pytest.raises(TorchbendError, match="bands"):
        vocoder_noise(torch.ones(100), RATE, bands=0)
