"""A file is as fast at its first block as at its tenth, and draws the same numbers where it has a seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import torchbend as tb

from .conftest import Export
from .models import PLAIN, bent_additive, bent_rave
from .playing import FRAMES, as_host, away, blocks_of, loaded, on_stage, played, refused


def test_nothing_is_remembered_of_the_blocks_that_nobody_hears(exported: Callable[..., Export]) -> None:
    first, second = exported("brave").load(), exported("brave").load()
    before = {name: tensor.clone() for name, tensor in first.named_buffers()}
    first.get_methods()
    moved = [name for name, tensor in first.named_buffers() if not torch.equal(tensor, before[name])]
    assert moved == ["is_ready"]
    assert not bool(before["is_ready"])
    x = 0.3 * torch.randn(1, 1, 128 * sum(FRAMES))
    assert torch.equal(played(first, "forward", x, 128), played(second, "forward", x, 128))


def test_it_happens_once(exported: Callable[..., Export]) -> None:
    module = exported("brave").load()
    x = 0.3 * torch.randn(1, 1, 128 * 8)
    with torch.inference_mode():  # whatever mode a host is in when it asks
        module.get_methods()
        module.forward(x)
    assert module.set_drive(0.5) == 0
    state = {name: tensor.clone() for name, tensor in module.named_buffers()}
    assert module.get_methods() == ["encode", "decode", "forward"], "while it plays"
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.named_buffers())


def test_models_of_any_kind_are_prepared(tmp_path: Path) -> None:
    module = loaded(bent_additive().export(tmp_path / "additive.ts"))
    x = torch.arange(1024)[None, None] / 44100
    module.get_methods()
    with torch.inference_mode():
        first = module(as_host(x))
    assert torch.equal(first, loaded(tmp_path / "additive.ts")(x))


def test_without_warming_up_nothing_is_played(tmp_path: Path) -> None:
    module = loaded(bent_additive().export(tmp_path / "additive.ts", warm_up=False))
    assert "forward" not in str(module._get_ready.graph)
    assert module.get_methods() == ["forward"]


# -- seeds -----------------------------------------------------------------------------------------------


@pytest.fixture
def seeded(exported: Callable[..., Export]) -> Export:
    return exported("two_signals", sample=True, fill="noise", seed=5)


def heard(module: Any, unit: int) -> torch.Tensor:
    x = 0.3 * torch.ones(1, 2, 6 * unit)
    return played(module, "forward", x, unit)


def test_a_loaded_file_draws_the_same_numbers_each_time(seeded: Export) -> None:
    streams = []
    for number in (1, 2):
        torch.manual_seed(number)
        module = seeded.load()
        module.get_methods()  # as a host does
        streams.append(heard(module, seeded.ratio))
    assert torch.equal(*streams)
    assert away(streams[0], heard(seeded.load(), seeded.ratio)) > 1e-3, "it is noise all the same"


def test_setting_the_seed_begins_anew(seeded: Export) -> None:
    module = seeded.load()
    assert module.get_attributes()[-1] == "seed" and module.seed_params.tolist() == [1]
    assert module.get_seed() == (5,)
    streams = []
    for seed in (9, 9, 10):
        module = seeded.load()
        module.get_methods()
        assert module.set_seed(seed) == 0 and module.get_seed() == (seed,)
        streams.append(heard(module, seeded.ratio))
    assert torch.equal(*streams[:2]) and away(streams[0], streams[2]) > 1e-3
    assert module.set_seed(-1) == 1 and module.get_seed() == (10,)


def test_the_numbers_are_those_of_the_live_model(seeded: Export) -> None:
    module = seeded.load()
    module.get_methods()
    x = 0.3 * torch.randn(1, 2, seeded.ratio * sum(FRAMES))
    assert module.set_seed(21) == 0
    got = played(module, "forward", x, seeded.ratio)
    torch.manual_seed(21)
    with on_stage(seeded.bended, seeded.rows, seeded.options) as live:
        wanted = torch.cat([live["forward"](block) for block in blocks_of(x, seeded.ratio)], -1)
    assert away(wanted, got) <= 1e-5


def test_the_seed_is_told_and_has_a_row_in_the_patch(seeded: Export) -> None:
    assert seeded.facts["seed"] == 5
    assert "set seed \\$1" in seeded.path.with_suffix(".pd").read_text()
    assert seeded.load().get_attributes() == ["drive", "shift", "seed"]


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_what_is_no_seed_is_refused(seed: int, tmp_path: Path) -> None:
    assert refused(bent_additive(), tmp_path / "model.ts", seed=seed).site == "seed"


def test_a_control_of_that_name_is_refused(tmp_path: Path) -> None:
    bended = bent_additive()
    bended.bend(tb.Scale(tb.BendingParameter("seed", 1.0, range=(0.0, 2.0))), "amps$")
    assert refused(bended, tmp_path / "model.ts", seed=1).site == "seed"
    v3 = bent_rave("v3")
    v3.bend(tb.Scale(tb.BendingParameter("learn_target", 1.0)), "decode:tanh$")
    assert refused(v3, tmp_path / "model.ts", **PLAIN).site == "learn_target"
