"""Schedules, order of batches, averages: against their definitions."""

from __future__ import annotations

import gc
import math

import pytest
import torch
from tests.training.conftest import settings
from torch import nn

from torchbend.cli.rave.training_options import starting
from torchbend.corpus.store import Corpus
from torchbend.errors import DeviceError, TrainingError
from torchbend.rave.config import BetaConfig
from torchbend.training.average import MovingAverage
from torchbend.training.data import Data
from torchbend.training.machine import accelerated
from torchbend.training.order import Batches
from torchbend.training.schedules import beta, learning_rate
from torchbend.training.settings import TrainSettings


def test_the_factor_of_the_latents() -> None:
    config = BetaConfig(1e-6, 0.05, 20000)
    assert beta(9999, config) == pytest.approx(math.sqrt(1e-6 * 0.05))
    assert beta(19999, config) == beta(10**6, config) == 0.05
    linear = BetaConfig(0.0, 1.0, 10, logarithmic=False)
    assert [beta(step, linear) for step in (0, 4, 9, 20)] == pytest.approx([0.1, 0.5, 1, 1])


def test_the_learning_rate_falls_to_a_tenth() -> None:
    assert learning_rate(0, 1e-3, 1000) == 1e-3
    assert learning_rate(500, 1e-3, 1000) == pytest.approx(5.5e-4)
    assert learning_rate(5000, 1e-3, 1000) == pytest.approx(1e-4)


def test_every_epoch_holds_each_excerpt_once_in_an_order_of_its_own() -> None:
    order = Batches(20, 4, seed=3)
    first = list(order)
    assert sorted(sum(first, [])) == list(range(20))
    order.start = 2
    assert list(order) == first[2:]
    order.start, order.epoch = 0, 1
    assert sorted(sum(order, [])) == list(range(20)) and list(order) != first


def test_processes_share_the_batches_of_one() -> None:
    together = list(Batches(21, 6, seed=1))
    parts = [list(Batches(21, 3, seed=1, process=number, processes=2)) for number in range(2)]
    assert len(together) == len(parts[0]) == 3
    for whole, one, other in zip(together, *parts, strict=True):
        assert sorted(one + other) == sorted(whole)


def test_the_moving_average() -> None:
    model = nn.Linear(1, 1, bias=False)
    average = MovingAverage(model, 0.75)
    for value in (1.0, 2.0, 4.0):
        nn.init.constant_(model.weight, value)
        average.update()
    assert float(average.weights["weight"]) == pytest.approx((1 * 0.75 + 2 * 0.25) * 0.75 + 4 * 0.25)
    with average.applied():
        assert model.weight.item() == pytest.approx(1.9375)
    assert model.weight.item() == 4.0
    with pytest.raises(TrainingError, match="another model"):
        average.load({"weight": torch.zeros(2, 2)})


def test_settings_survive_their_file() -> None:
    settings = TrainSettings(augment=("mute",), rand_pitch=(0.8, 1.2), ema=0.99, precision="bf16")
    content = {**settings.to_dict(), "augment": ["mute"], "rand_pitch": [0.8, 1.2], "newer": 1}
    assert TrainSettings.from_dict(content) == settings


@pytest.mark.parametrize(
    ("changes", "site", "said"),
    [
        ({"augment": ("mute", "echo")}, "augment", "mute, gain, compress, masking"),
        ({"augment": ("Mute",)}, "augment", "'Mute'"),
        ({"rand_pitch": (1.2, 0.8)}, "rand_pitch", "smaller one first"),
        ({"rand_pitch": (0.0, 1.0)}, "rand_pitch", "above 0"),
        ({"rand_pitch": (0.5, math.inf)}, "rand_pitch", "above 0"),
        ({"rand_pitch": (0.9, math.nan)}, "rand_pitch", "above 0"),
        ({"rand_pitch": (0.9,)}, "rand_pitch", "two numbers"),
        ({"rand_pitch": (0.999, 1.001)}, "rand_pitch", "ratio"),
    ],
)
def test_variations_are_checked_before_anything_is_read(
    changes: dict[str, object], site: str, said: str
) -> None:
    with pytest.raises(TrainingError) as caught:
        TrainSettings(**changes)  # type: ignore[arg-type]
    assert caught.value.site == site and said in str(caught.value)


def test_variations_that_can_be_drawn_are_taken() -> None:
    own = TrainSettings(augment=("mute", "gain", "compress", "masking"), rand_pitch=(1, 2))
    assert TrainSettings.from_dict(own.to_dict()) == own


def test_a_start_looks_for_no_garbage_and_what_follows_does() -> None:
    with pytest.raises(KeyError), starting():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def test_what_a_model_always_hears_it_is_judged_by_too(corpus: Corpus) -> None:
    def held_out(**changes: object) -> torch.Tensor:
        return next(Data(corpus, settings(**changes), 44100).validation())

    plain, louder = held_out(), held_out(normalise=True)
    assert louder.abs().amax((1, 2)).tolist() == pytest.approx([1.0] * len(louder))
    assert torch.allclose(louder, plain / plain.abs().amax((1, 2), keepdim=True), atol=1e-6)
    differences = held_out(derivative=True)
    assert torch.allclose(differences[..., 1:], plain.diff() / 2, atol=1e-6)
    assert torch.equal(held_out(augment=("gain",), rand_pitch=(0.9, 1.1)), plain)


@pytest.mark.parametrize("device", ["cpu:1", "nowhere"])
def test_a_device_that_is_not_used_is_refused(device: str) -> None:
    with pytest.raises(DeviceError, match="cannot run there"):
        accelerated(device)
