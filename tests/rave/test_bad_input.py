"""What a model without bends says about tensors of another shape."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from torchbend.errors import RAVEConfigError, ShapeError
from torchbend.rave import RAVE, preset


@pytest.fixture(scope="module")
def model() -> RAVE:
    torch.manual_seed(0)
    return RAVE(preset("v2", capacity=4, latent_size=8, channels=2)).eval().requires_grad_(False)


def told(model: RAVE, method: str, *shape: int) -> ShapeError:
    with pytest.raises(ShapeError) as caught:
        getattr(model, method)(torch.zeros(shape))
    return caught.value


def test_raw_output_is_not_taken_for_latents(model: RAVE) -> None:
    raw = model.encode(torch.zeros(1, 2, 4096))
    error = told(model, "decode", *raw.shape)
    assert error.wanted == "[batch, 8, time], time at least 1" and error.got == [1, 16, 2]
    assert error.next_step is not None and "RAVE.latents(x)" in error.next_step
    assert "None" not in str(error) and "channel" not in str(error)
    assert model.decode(model.latents(torch.zeros(1, 2, 4096))).shape == (1, 2, 4096)


def test_other_numbers_of_latents(model: RAVE) -> None:
    error = told(model, "decode", 1, 5, 2)
    assert error.next_step == "this model has 8 latents; RAVE.latents(x) gives them"


@pytest.mark.parametrize(("method", "shape", "channels"), [("encode", (2, 4096), 2), ("decode", (8, 4), 8)])
def test_a_missing_batch(model: RAVE, method: str, shape: tuple[int, ...], channels: int) -> None:
    error = told(model, method, *shape)
    assert error.next_step == f"for one signal of shape [{channels}, time], tensor[None] adds the batch"


def test_other_channels(model: RAVE) -> None:
    error = told(model, "forward", 1, 1, 4096)
    assert error.message == "the model cannot take this audio"
    assert error.next_step == "this model hears and makes 2 channels"


def test_too_short(model: RAVE) -> None:
    error = told(model, "encode", 1, 2, 2047)
    assert error.wanted == "[batch, 2, time], time at least 2048"
    assert error.next_step == "give more of it: at least one frame"


def test_a_name_is_no_configuration() -> None:
    name: Any = "v2"
    with pytest.raises(RAVEConfigError, match=r"wanted: a RAVEConfig\n  got:    'v2'\n  next:   .*preset"):
        RAVE(name)


def test_latency_of_the_original(model: RAVE) -> None:
    for original in (False, True):
        samples = float(model.delay("encode", as_original=original))
        assert model.latency("encode", as_original=original) == pytest.approx(samples / 44.1)
    assert model.delay("encode", as_original=True) != model.delay("encode")
