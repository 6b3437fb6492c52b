"""A model that comes with the package is found by its name, wherever a path of a model may stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import torchbend as tb
from torchbend.audio import read_audio
from torchbend.cli.main import app
from torchbend.errors import CheckpointError
from torchbend.shipped import model_path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.shows("BendedRAVE", "load by name")
def test_the_name_gives_the_shipped_model() -> None:
    by_name, by_path = tb.rave.load("sax"), tb.rave.load(model_path("sax"))
    held = by_path.state_dict()
    assert by_name.config == by_path.config
    assert all(torch.equal(tensor, held[name]) for name, tensor in by_name.state_dict().items())


def test_a_path_that_exists_wins(tmp_path: Path) -> None:
    own = tb.rave.RAVE(tb.rave.preset("raspberry", capacity=2, latent_size=4)).eval()
    tb.rave.save(own, tmp_path / "own.safetensors")
    (tmp_path / "own.safetensors").rename(tmp_path / "sax")
    with pytest.raises(CheckpointError, match="sax"):
        tb.rave.load("sax")  # a file without a suffix: looked into, and not passed over
    (tmp_path / "sax").rename(tmp_path / "kept.safetensors")
    (tmp_path / "sax").mkdir()
    (tmp_path / "kept.safetensors").rename(tmp_path / "sax" / "own.safetensors")
    assert tb.rave.load("sax").latent_size == 4
    (tmp_path / "sax" / "own.safetensors").rename(tmp_path / "sax" / "sound.wav")
    with pytest.raises(CheckpointError, match=r"model_path\('sax'\)"):  # a folder of sounds has the name
        tb.rave.load("sax")


@pytest.mark.parametrize("name", ["saxo", "sax.ts", "./sax", "models/sax"])
def test_other_names_are_refused_and_the_names_told(name: str) -> None:
    with pytest.raises(CheckpointError, match="'sax'") as caught:
        tb.rave.load(name)
    assert caught.value.message == "there is no such file or folder"


def test_the_command_line_takes_the_name(phrase: Callable[[str], Path]) -> None:
    runner = CliRunner()
    told = runner.invoke(app, ["inspect", "sax", "--weights-filter", "encoder.encoder.net.0"])
    assert told.exit_code == 0 and "encoder.encoder.net.0.weight_v" in told.output, told.output
    x, rate = read_audio(phrase("violin"), duration=0.5)
    tb.audio.write_audio("short.wav", x, rate)
    made = runner.invoke(app, ["rave", "generate", "sax", "short.wav", "--out", "out"])
    assert made.exit_code == 0, made.output
    y, _ = read_audio("out/short.wav")
    model = tb.BendedRAVE("sax")
    assert y.shape == x.shape
    torch.testing.assert_close(y, model(x)[0].clamp(-1, 1), atol=4e-5, rtol=0)
