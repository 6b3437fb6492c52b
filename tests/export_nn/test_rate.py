"""A host at a multiple of the model's rate: ratios, delays, and a sine that stays what it is."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from torchbend.rave.resampling import Resampling

from .conftest import Export


def test_the_ratio_is_doubled_and_the_delays_are_told(exported: Callable[..., Export]) -> None:
    export = exported("double_rate")
    model = export.bended.rave
    assert (model.sample_rate, export.facts["sample_rate"], model.ratio) == (22050, 44100, 128)
    assert export.facts["methods"] == {"encode": [1, 1, 5, 256], "decode": [5, 256, 1, 1], "forward": [1] * 4}
    down, up = Resampling(2).delays
    told = export.facts["delays"]
    assert told["encode"] % 256 == 0 and told["encode"] >= down
    assert told["decode"] == 2 * float(model.delay("decode")) + up
    assert told["forward"] == told["encode"] + told["decode"]
    module = export.load()
    assert module.encode(torch.randn(2, 1, 512)).shape == (2, 5, 2)
    assert module.decode(torch.randn(2, 5, 2)).shape == (2, 1, 512)


def test_a_sine_keeps_its_frequency_and_its_level_on_the_way_to_the_model_and_back() -> None:
    rate, length = 44100, 16384
    sine = torch.sin(2 * math.pi * 1000 / rate * torch.arange(length).double()).float()[None, None]
    resampling = Resampling(2)
    resampling.open(1)
    back = torch.cat([resampling.up(resampling.down(block)) for block in sine.split(256, -1)], -1)
    late = sum(resampling.delays)
    error = (back[..., 1024:] - sine[..., 1024 - late : length - late]).square().mean()
    assert 10 * math.log10(0.5 / float(error)) >= 100
