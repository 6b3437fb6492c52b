"""The spectral distance is the original's, and is what its formula says."""

from __future__ import annotations

import math

import pytest
import torch

from torchbend.errors import RAVEConfigError, ShapeError
from torchbend.rave.config import DistanceConfig
from torchbend.rave.losses.distance import AudioDistance
from torchbend.rave.losses.stft import STFT, MultiScaleSTFT

from . import references, training_references

_SCALES = ("2048", "1024", "512", "256", "128")


def _distance(name: str) -> AudioDistance:
    return AudioDistance(training_references.config(name).training.distance)


# -- the original's numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", training_references.names())
def test_full_band_distance(name: str) -> None:
    held = references.arrays(name)
    wanted = training_references.losses(name)["fullband_audio_distance(x,x2)"]["spectral_distance"]
    assert float(_distance(name)(held["x"], held["x2"])) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", training_references.names())
def test_multi_band_distance(name: str) -> None:
    held, model = references.arrays(name), training_references.model(name)
    wanted = training_references.losses(name)["multiband_audio_distance(pqmf(x),pqmf(x2))"]
    with torch.no_grad():
        got = model.multiband_audio_distance(model.pqmf(held["x"]), model.pqmf(held["x2"]))
    assert float(got) == pytest.approx(wanted["spectral_distance"], rel=1e-5)


@pytest.mark.parametrize("scale", _SCALES)
@pytest.mark.parametrize("name", training_references.names())
def test_shapes_of_spectrograms(name: str, scale: str) -> None:
    wanted = training_references.losses(name)["stft_shapes(x)"][scale]
    assert list(STFT(int(scale))(references.arrays(name)["x"]).shape) == wanted


@pytest.mark.parametrize("scale", _SCALES)
@pytest.mark.parametrize("name", training_references.names())
def test_mean_magnitude_of_spectrograms(name: str, scale: str) -> None:
    wanted = training_references.losses(name)["stft_mean_magnitude(x)"][scale]
    got = STFT(int(scale))(references.arrays(name)["x"]).mean()
    assert float(got) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", training_references.names())
def test_windows_under_the_original_s_names(name: str) -> None:
    stored, prefix = training_references.weights(name), "audio_distance."
    wanted = {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}
    made = _distance(name).state_dict()
    assert list(made) == list(wanted)
    for key, window in wanted.items():
        torch.testing.assert_close(made[key], window, rtol=0, atol=1e-6)


# -- the formula -----------------------------------------------------------------------------------------


def test_a_signal_is_at_no_distance_from_itself() -> None:
    x = torch.randn(2, 2, 4096)
    assert float(AudioDistance()(x, x)) == 0


def test_a_gain_has_a_known_distance() -> None:
    x = torch.randn(1, 3, 4096)
    got = AudioDistance(DistanceConfig((512, 256), 1e-9))(x, 0.5 * x)
    assert float(got) == pytest.approx(2 * (0.25 + math.log(2)), rel=1e-3)


def test_a_sine_sounds_in_its_own_band() -> None:
    sine = torch.sin(2 * math.pi * 8 / 256 * torch.arange(4096.0))[None, None]
    magnitudes = STFT(256)(sine)[0, :, 20]
    assert int(magnitudes.argmax()) == 8
    assert float(magnitudes[8]) == pytest.approx(64, rel=1e-3)


def test_channels_and_batch_are_signals_of_their_own() -> None:
    x, y = torch.randn(2, 2, 4096), torch.randn(2, 2, 4096)
    flat = AudioDistance()(x.reshape(4, 1, -1), y.reshape(4, 1, -1))
    torch.testing.assert_close(AudioDistance()(x, y), flat)


def test_gradients_are_those_of_finite_differences() -> None:
    distance = AudioDistance(DistanceConfig((32, 16), 1e-2)).double()
    x, y = torch.randn(1, 2, 64, dtype=torch.float64), torch.randn(1, 2, 64, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda out: distance(x, out), (y.requires_grad_(),))


def test_silence_has_finite_gradients() -> None:
    y = torch.zeros(1, 1, 4096, requires_grad=True)
    AudioDistance()(torch.randn(1, 1, 4096), y).backward()
    assert y.grad is not None and bool(y.grad.isfinite().all())


# -- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 1024])
def test_too_short_signals_are_refused(length: int) -> None:
    x = torch.zeros(1, 1, length)
    with pytest.raises(ShapeError, match="more than 1024 samples"):
        AudioDistance()(x, x)


def test_the_shortest_signal_is_taken() -> None:
    x = torch.randn(1, 1, 1025)
    assert len(MultiScaleSTFT((2048, 128))(x)) == 2


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="one shape"):
        AudioDistance()(torch.zeros(1, 1, 4096), torch.zeros(1, 2, 4096))


@pytest.mark.parametrize("size", [0, 2, 130])
def test_a_window_without_a_hop_is_refused(size: int) -> None:
    with pytest.raises(RAVEConfigError, match="multiple of 4"):
        STFT(size)
