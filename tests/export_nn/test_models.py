"""Models of any kind for the stage: numbers read off, blocks of any size, live controls."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb

from .models import CONTEXT, bent_additive, bent_vocoder
from .playing import away, blocks_of, both, loaded, played, refused

SETTINGS = {1: [("drive", 0.5)], 2: [("shift", -0.4)], 4: [("drive", 2.0), ("shift", 0.0)]}


def test_the_additive_synthesiser_is_played(tmp_path: Path) -> None:
    bended = bent_additive()
    path = bended.export(tmp_path / "additive.ts")
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["methods"] == {"forward": [1, 1, 1, 1]}
    assert [(c["name"], c["value"], c["range"]) for c in facts["controls"]] == [
        ("drive", 1.25, [0.0, 2.0]),
        ("shift", 0.1, [-0.5, 0.5]),
    ]
    time = torch.arange(8192)[None, None] / 44100

    def live(block: Tensor) -> Tensor:
        with torch.no_grad():
            return bended(block[:, 0])[:, None]

    blocks = blocks_of(time, 64, (1, 2, 3, 5, 64))
    wanted, got = both(loaded(path), bended, "forward", live, blocks, SETTINGS)
    assert away(wanted, got) <= 1e-5
    batch = loaded(path)(time.expand(3, 1, -1))
    assert batch.shape == (3, 1, 8192) and torch.equal(batch[0], batch[2])


def test_a_vocoder_is_played_without_borders(tmp_path: Path) -> None:
    bended = bent_vocoder()
    path = bended.export(tmp_path / "vocoder.ts", context=CONTEXT, batch=2)
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["methods"] == {"forward": [16, 16, 1, 1]}
    assert facts["delays"] == {"forward": 16 * CONTEXT} and facts["max_batch"] == 2
    mel = torch.randn(2, 16, 80)
    past = [torch.zeros(2, 16, 2 * CONTEXT)]

    def live(block: Tensor) -> Tensor:
        past[0] = torch.cat([past[0], block], -1)
        heard = past[0][..., -2 * CONTEXT - block.shape[-1] :]
        with torch.no_grad():
            return bended(heard)[..., 16 * CONTEXT : -16 * CONTEXT]

    wanted, got = both(loaded(path), bended, "forward", live, blocks_of(mel, 1, (1, 2, 3, 5)), SETTINGS)
    assert away(wanted, got) <= 1e-5
    bended.update("drive", 1.25)
    bended.update("shift", 0.1)
    streams = [played(loaded(path), "forward", mel, 1, sizes) for sizes in ((7, 1), (80,))]
    with torch.no_grad():
        whole = bended(torch.nn.functional.pad(mel, (3 * CONTEXT, 0)))[..., 2 * 16 * CONTEXT :]
    for stream in streams:
        assert away(whole[..., : 16 * 80], stream) <= 1e-4, "the whole signal, late by what is told"


def test_without_context_it_clicks_at_the_borders_of_blocks(tmp_path: Path) -> None:
    path = bent_vocoder().export(tmp_path / "vocoder.ts")
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["delays"] == {} and facts["max_batch"] == 16
    mel = torch.randn(1, 16, 40)
    small, large = (played(loaded(path), "forward", mel, 1, sizes) for sizes in ((4,), (40,)))
    assert away(large, small) > 0.05


class Slower(nn.Module):
    """One value for each 16 samples, from 64 samples before to 64 samples after them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(1, 3, 144, stride=16, padding=64)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def test_context_of_a_method_that_makes_slower_values(tmp_path: Path) -> None:
    bended = tb.BendedModule(Slower().eval())
    bended.trace("forward", torch.randn(1, 1, 1024))
    path = bended.export(tmp_path / "slower.ts", context={"forward": 64}, batch=1)
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["delays"] == {"forward": 64} and facts["max_batch"] == 1
    x = torch.randn(1, 1, 1024)
    with torch.no_grad():
        whole = bended(torch.nn.functional.pad(x, (64, 0)))
    assert away(whole[..., :64], played(loaded(path), "forward", x, 16, (1, 3, 2))) <= 1e-4


def test_a_setting_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    module = loaded(bent_additive().export(tmp_path / "additive.ts"))
    time = torch.arange(512)[None, None] / 44100
    before = module(time).clone()
    assert module.set_drive(2.5) != 0 and module.set_shift(float("nan")) != 0
    assert module.get_drive() == (1.25,) and torch.equal(module(time), before)
    assert module.set_drive(2.0) == 0 and module.get_drive() == (2.0,)
    assert not torch.equal(module(time), before)


def test_whole_numbers_and_switches_are_attributes_of_their_kinds(tmp_path: Path) -> None:
    bended = tb.BendedModule(nn.Sequential(nn.Conv1d(1, 1, 1), nn.Tanh()).eval())
    bended.trace("forward", torch.randn(1, 1, 64))
    bended.bend(tb.Scale(tb.BendingParameter("times", 2, range=(0, 4))), "0.weight")
    bended.bend(tb.Scale(tb.BendingParameter("on", True)), "_1$|tanh")
    module = loaded(bended.export(tmp_path / "kinds.ts"))
    assert module.get_attributes() == ["times", "on"]
    assert (module.times_params.tolist(), module.on_params.tolist()) == ([1], [0])
    assert (module.get_times(), module.get_on()) == ((2,), (True,))
    assert module.set_on(False) == 0
    assert not bool(module(torch.randn(1, 1, 64)).any())


class Net(nn.Module):
    """Something to refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.conv(x))

    def thirds(self, x: Tensor) -> Tensor:
        return x[..., ::3] * 1.0

    def pair(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * 1.0, x * 2.0


@pytest.fixture
def net() -> tb.BendedModule:
    bended = tb.BendedModule(Net().eval())
    bended.trace("forward", torch.randn(1, 2, 96))
    return bended


def _complex(bended: tb.BendedModule) -> None:
    bended.bend(tb.Scale(tb.BendingParameter("turn", 1 + 2j)), "tanh$")


def _lambda(bended: tb.BendedModule) -> None:
    bended.bend(tb.Lambda(lambda x: x * 2), "tanh$")


def _thirds(bended: tb.BendedModule) -> None:
    bended.trace("thirds", torch.randn(1, 2, 96))


def _pair(bended: tb.BendedModule) -> None:
    bended.trace("pair", torch.randn(1, 2, 96))


def _nothing(bended: tb.BendedModule) -> None:
    pass


@pytest.mark.parametrize(
    ("prepare", "options", "site", "said"),
    [
        (_complex, {}, "turn", "attributes of this type"),
        (_lambda, {}, "forward:tanh", "cannot be exported"),
        (_thirds, {}, "in_ratio|out_ratio", "cannot play this method"),
        (_pair, {}, "pair", "one signal"),
        (_nothing, {"methods": {"forward": (2, 3, 2, 1)}}, "in_ratio", "cannot play this method"),
        (_nothing, {"methods": {"forward": (2, 1, 0, 1)}}, "out_channels", "cannot play this method"),
        (_nothing, {"methods": {"forward": (2, 1, 2)}}, "forward", "four numbers"),
        (_nothing, {"methods": {"forwards": (2, 1, 2, 1)}}, "forwards", ""),
        (_nothing, {"methods": {"forward": (3, 1, 2, 1)}}, "forward", ""),
        (_nothing, {"methods": {"forward": (2, 1, 1, 1)}}, "forward", ""),
        (_nothing, {"methods": {"forward": (2, 1, 2, 2)}}, "forward", ""),
        (_nothing, {"target": "max"}, "target", "cannot go there"),
        (_nothing, {"context": -1}, "context", "no context"),
        (_nothing, {"context": {"decode": 4}}, "context", "no such method"),
        (_nothing, {"context": 4, "batch": 0}, "batch", "one signal"),
    ],
)
def test_what_cannot_be_exported_is_refused_by_name(
    net: tb.BendedModule,
    prepare: Callable[[tb.BendedModule], None],
    options: dict[str, Any],
    site: str,
    said: str,
    tmp_path: Path,
) -> None:
    prepare(net)
    error = refused(net, tmp_path / "model.ts", **options)
    assert any(each in str(error.site) for each in site.split("|"))
    assert said in str(error)
    net.reset()
    x = torch.randn(1, 2, 64)
    with torch.no_grad():
        assert torch.equal(net(x), net.module(x)), "it can be played as before"


@pytest.mark.parametrize("name", ["model.onnx", "model", "missing/model.ts"])
def test_a_place_that_does_not_suit_is_refused(net: tb.BendedModule, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    if "/" in name:
        (folder / "missing").write_text("a file, no folder")
        with pytest.raises(tb.errors.ExportError):
            net.export(folder / name)
        assert [p.name for p in folder.iterdir()] == ["missing"]
    else:
        refused(net, folder / name)
