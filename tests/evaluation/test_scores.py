"""Collections beside their reference: equal ones, worse ones, and what cannot be compared."""

from __future__ import annotations

import math

import pytest
import torch

from torchbend.errors import ShapeError, TorchbendError
from torchbend.evaluation import log_mel_distance, vocoder_noise
from torchbend.evaluation.scores import Reference, scorable

from .signals import RATE, noise, saw


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference([saw(220), saw(330, 2.0)], RATE)


def test_equal_collections(reference: Reference) -> None:
    scores = reference.score(reference.sounds)
    assert scores.spectral_distance == scores.log_mel_distance == scores.loudness_error == 0
    assert (scores.pitch_within_50_cents, scores.pitch_median_cents, scores.voicing_error) == (1, 0, 0)
    assert scores.embedding_distance == pytest.approx(0, abs=1e-4)
    assert reference.seconds == 3


def test_each_sound_has_its_own_place(reference: Reference) -> None:
    quiet = [0.5 * sound for sound in reference.sounds]
    scores = reference.score(quiet)
    each = [log_mel_distance(x, y, RATE) for x, y in zip(reference.sounds, quiet, strict=True)]
    assert scores.log_mel_distance == pytest.approx(sum(each) / 2)
    assert scores.loudness_error == pytest.approx(6.02, abs=0.01)
    assert scores.pitch_within_50_cents == 1


def test_pitch_counts_frames_not_sounds(reference: Reference) -> None:
    scores = reference.score([reference.sounds[0], saw(349, 2.0)])
    frames = [math.floor((n * RATE - 4096) / 512) + 1 for n in (1, 2)]
    assert scores.pitch_within_50_cents == pytest.approx(frames[0] / sum(frames))
    assert scores.pitch_median_cents == pytest.approx(1200 * math.log2(349 / 330), abs=2)


def test_noise_is_worse_than_a_small_change(reference: Reference) -> None:
    near = reference.score([sound + noise(sound.shape[-1] / RATE, 0.002) for sound in reference.sounds])
    far = reference.score([vocoder_noise(sound, RATE) for sound in reference.sounds])
    assert near.spectral_distance < 0.7 * far.spectral_distance
    assert near.embedding_distance < 0.7 * far.embedding_distance
    assert near.pitch_within_50_cents > 0.99 and far.pitch_within_50_cents < 0.1


def test_what_cannot_be_compared_is_told(reference: Reference) -> None:
    assert scorable(torch.ones(100)) == "shorter than 2048 samples"
    assert scorable(torch.zeros(4096)) == "silent"
    assert scorable(saw(220)) is None
    with pytest.raises(TorchbendError, match="silent"):
        Reference([saw(220), torch.zeros(RATE)], RATE)
    with pytest.raises(ShapeError, match="nothing to compare"):
        Reference([], RATE)
    with pytest.raises(ShapeError, match="2 sounds"):
        reference.score([saw(220)])
    with pytest.raises(ShapeError, match="same length"):
        reference.score([saw(220), saw(330)])
