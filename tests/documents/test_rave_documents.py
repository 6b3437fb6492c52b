"""The code cells of documents 000 and 001 run unchanged, on a model of the documents' kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from .notebook import Notebook, session
from .reading import code_cells


@pytest.fixture
def notebook(stand_ins: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Notebook]:
    torch.manual_seed(0)
    with session(capsys) as running:
        yield running


def test_dissecting(notebook: Notebook, shared_dir: Path) -> None:
    cells = code_cells(shared_dir, "000")
    printed = [notebook.run(cell) for cell in cells]
    assert "encoder" in printed[1]
    graph, short = printed[2], printed[3]
    assert "conv1d_28" in graph and re.search(r"call_function +getitem", graph)
    assert "conv1d_28" in short and not re.search(r"call_function +getitem", short)
    shapes = [line for line in printed[7].splitlines() if line.startswith("torch.Size")]
    frames = 8 * 44100
    channels = [4, 8, 16, 32]
    for shape, wide, ratio in zip(shapes, channels, (16, 64, 256, 1024), strict=False):
        assert shape.startswith(f"torch.Size([1, {wide}, {-(-frames // ratio)}")
    assert shapes[4].startswith("torch.Size([1, 128, 17")
    for name in ("add_6", "add_12", "add_18", "add_24", "sigmoid"):
        assert f"\n{name}\n" in f"\n{printed[9]}"
    weights = printed[10]
    for place in (0, 5, 10, 15, 19):
        assert f"encoder.encoder.net.{place}.weight_v" in weights
    for place in (2, 6, 11, 16, 21):
        assert f"decoder.net.{place}.weight_v" in printed[13]
    assert "decoder" not in weights


def test_exploring(notebook: Notebook, shared_dir: Path) -> None:
    cells = code_cells(shared_dir, "001")
    printed = [notebook.run(cell) for cell in cells]
    assert "Variational" in printed[0] and "sol_full_nopqmf" in printed[0]
    assert "torch.Size([1, 1, 352800])" in printed[3]
    held = notebook.variables
    model = held["model"]
    assert "torch.Size([2, 128, 173])" in printed[7]
    for name in ("original_0", "original_1", "morphing_0", "interleaving_0", "spherical_0"):
        assert name in printed[7]
    assert held["n_dims"] == 20  # 1 - exp(-n / 12) passes 0.8 at n = 20
    assert held["out"].shape == (1, 1, 173 * 2048)
    assert torch.equal(held["out"], model.decode(held["z5"]))
    assert model.encoder.module is model.rave.encoder


def test_decoder_places_are_the_outputs_of_the_stages(notebook: Notebook, shared_dir: Path) -> None:
    """What the names stand for: the activations between the stages."""
    for cell in code_cells(shared_dir, "000")[:2]:
        notebook.run(cell)
    model = notebook.variables["model"]
    z = torch.randn(1, 128, 4)
    got = model.get_activations("add_6$", "add_12$", "add_18$", "add_24$", "sigmoid$", fn="decode", z=z)
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        model.rave.decoder.net[place].register_forward_hook(lambda m, i, o, p=place: seen.update({str(p): o}))
        for place in (5, 10, 15, 20, 21)
    ]
    model.decode(z)
    for hook in hooks:
        hook.remove()
    for name, place in (("add_6", "5"), ("add_12", "10"), ("add_18", "15"), ("add_24", "20")):
        assert torch.equal(got[name], seen[place]), name
    assert torch.equal(got["sigmoid"], torch.sigmoid(seen["21"].chunk(2, 1)[1]))
