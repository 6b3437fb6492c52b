"""This project's own files: written whole, read exactly, no pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from torchbend.errors import CheckpointError
from torchbend.rave import RAVE, load, preset
from torchbend.rave.checkpoints.load import load_with_notes
from torchbend.rave.checkpoints.native import save
from torchbend.rave.config import MultiScaleConfig


def small(*names: str, **overrides: Any) -> RAVE:
    torch.manual_seed(0)
    changes = {"discriminator": MultiScaleConfig(2), "capacity": 4, "latent_size": 4, **overrides}
    return RAVE(preset(*names, **changes)).eval()


@pytest.mark.shows("BendedRAVE", "save and load")
@pytest.mark.parametrize(
    "names", [("v1",), ("v2", "causal"), ("v3",), ("discrete",), ("hybrid",), ("brave",)]
)
def test_round_trip(tmp_path: Path, names: tuple[str, ...]) -> None:
    model = small(*names)
    loaded, notes = load_with_notes(save(model, tmp_path / "model"))
    assert loaded.config == model.config and notes == ()
    state = loaded.state_dict()
    assert list(state) == list(model.state_dict())
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())


def test_half(tmp_path: Path) -> None:
    model = small("v2")
    whole, half = save(model, tmp_path / "whole"), save(model, tmp_path / "half", half=True)
    assert half.stat().st_size < 0.7 * whole.stat().st_size
    state = load(half).state_dict()
    for name, value in model.state_dict().items():
        assert state[name].dtype == value.dtype
        if name.startswith("pqmf.") or not value.is_floating_point():
            assert torch.equal(state[name], value)
        else:
            torch.testing.assert_close(state[name], value, rtol=1e-3, atol=1e-6)


def test_without_the_discriminator(tmp_path: Path) -> None:
    path = save(small("v2"), tmp_path / "model", discriminator=False)
    _, notes = load_with_notes(path)
    assert notes == ("the discriminator is not in this file: a new one takes its place",)


def test_a_folder_with_one_model(tmp_path: Path) -> None:
    save(small("v2"), tmp_path / "model.safetensors")
    assert load(tmp_path).latent_size == 4


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(small("v2"), tmp_path / "model")
    before = path.read_bytes()

    def fail(number: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CheckpointError, match="the disk is full"):
        save(small("v1"), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be written"):
        save(small("v2"), tmp_path / "nowhere" / "model")
    with pytest.raises(CheckpointError, match="safetensors"):
        save(small("v2"), tmp_path / "model.pt")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated(tmp_path: Path, share: float) -> None:
    path = save(small("v2"), tmp_path / "model")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match="damaged"):
        load(path)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (None, "not written by torchbend.rave"),
        ({"format": "pt"}, "not written by torchbend.rave"),
        ({"format": "torchbend.rave/1"}, "damaged"),
        ({"format": "torchbend.rave/1", "config": "{"}, "damaged"),
        ({"format": "torchbend.rave/1", "config": "[]"}, "cannot be used"),
        ({"format": "torchbend.rave/1", "config": json.dumps({"colour": 1})}, "colour"),
        ({"format": "torchbend.rave/1", "config": json.dumps({"latent_size": 3})}, "do not fit"),
    ],
)
def test_foreign(tmp_path: Path, metadata: dict[str, str] | None, said: str) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors", metadata)
    with pytest.raises(CheckpointError, match=said):
        load(tmp_path / "a.safetensors")


def test_there_are_no_averages(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="averaged"):
        load(save(small("v2"), tmp_path / "model"), ema=True)
