"""A folder with a model to run, its weights, a sound, and the program; a RAVE model in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from safetensors.torch import save_file
from typer.testing import CliRunner

import torchbend as tb
from torchbend.audio import write_audio
from torchbend.cli.main import app

SOURCE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=4, gain=1.0):
        super().__init__()
        self.first = nn.Conv1d(1, width, 3, padding=1)
        self.second = nn.Conv1d(width, 1, 3, padding=1)
        self.gain = gain

    def forward(self, x, amount=1.0):
        return torch.tanh(self.second(torch.sin(self.first(x)))) * self.gain * amount

    def encode(self, x):
        return {"code": self.first(x), "length": x.shape[-1]}


def broken():
    raise RuntimeError("no weights today")


def number():
    return 3


net = Net
ready = Net()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the program runs in: ``net_for_cli.py``, ``w.pt``, ``in.wav``, ``x.safetensors``."""
    (tmp_path / "net_for_cli.py").write_text(SOURCE, encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "net_for_cli_copy"}
    exec(SOURCE, namespace)  # noqa: S102
    torch.manual_seed(7)
    module = namespace["Net"]()  # type: ignore[operator]
    torch.save({"generator": module.state_dict(), "epoch": 1}, tmp_path / "w.pt")
    time = torch.arange(2000) / 8000
    write_audio(tmp_path / "in.wav", torch.stack([0.5 * torch.sin(2000 * time), torch.zeros(2000)]), 8000)
    save_file({"x": torch.linspace(-1, 1, 50)[None, None]}, tmp_path / "x.safetensors")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "net_for_cli", raising=False)
    return tmp_path


@pytest.fixture
def program() -> Callable[..., Result]:
    """Runs ``torchbend`` with the given words."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="session")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small RAVE model in a file, with a recipe beside it: ``r.json`` turns its loudness, by ``amount``."""
    folder = tmp_path_factory.mktemp("birds")
    torch.manual_seed(0)
    config = tb.rave.preset("v2_nopqmf", "snake", capacity=4, latent_size=8)
    made = tb.rave.RAVE(config).eval().requires_grad_(False)
    # A fresh model is nearly silent.
    made.get_parameter("decoder.net.21.weight_g").mul_(3e4)
    tb.rave.save(made, folder / "birds.safetensors")
    model = tb.BendedRAVE(folder / "birds.safetensors")
    model.bend(tb.Scale(tb.BendingParameter("amount", 1.0, range=[0, 2])), "decoder.net.21.weight_g")
    model.bending_config().save(folder / "r.json")
    return folder / "birds.safetensors"
