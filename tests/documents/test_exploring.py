"""Document 001 runs in a kernel, unchanged, on the saxophone: what is drawn and played is what it makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import dandb
from torchbend import BendedRAVE

from .checks import check_all, curves, plays, title
from .kernel import Executed, execute
from .outputs import Cell
from .reading import code_cells

VARIABLES = ["z", "z1", "z3", "z4", "z5", "z_reduced", "n_dims", "out", "models['sol_full_nopqmf']"]
MADE = {"original": 2, "zeros": 2, "progressive noise": 2, "morphing": 1, "interleaving": 1, "spherical": 1}
MADE_NAMES = [f"{name}_{i}" for name, count in MADE.items() for i in range(count)]


@pytest.fixture(scope="module")
def executed(shared_dir: Path) -> Executed:
    return execute(code_cells(shared_dir, "001"), VARIABLES)


@pytest.fixture(scope="module")
def model() -> BendedRAVE:
    return dandb.import_model("sax")


def draws(cell: Cell, number: int, sound: torch.Tensor) -> bool:
    """Whether a figure of a cell shows the outline of a sound, and its player plays it."""
    figure = cell.figures[number]
    outline = curves(figure)["amplitude"]
    pictures = [trace for trace in figure["data"] if trace["type"] == "heatmap"]
    same = np.isclose(outline.max(), float(sound.max())) and np.isclose(outline.min(), float(sound.min()))
    return bool(same) and len(pictures) == 1 and plays(cell.sounds[number], sound.numpy(), 44100)


def test_all_is_there_and_nothing_is_from_elsewhere(executed: Executed) -> None:
    check_all(executed)
    printed = executed.cells[0].printed
    for word in ("Variational", "GeneratorV2", "CombinedDiscriminator", "sol_full_nopqmf"):
        assert word in printed
    assert "sax stands in for it" in printed
    assert Path(executed.variables["models['sol_full_nopqmf']"]).name == "sax.safetensors"


def test_the_phrase_and_its_reconstruction(executed: Executed, model: BendedRAVE) -> None:
    cell = executed.cells[3]
    assert "torch.Size([1, 1, 352800])" in cell.printed
    assert [title(figure) for figure in cell.figures] == ["original sample 0", "reconstruction 0"]
    x = dandb.get_sounds().load("violin.wav", sr=44100)
    assert draws(cell, 0, x[0])
    assert draws(cell, 1, model.forward(x)[0])


def test_latents_and_their_sound(executed: Executed, model: BendedRAVE) -> None:
    z = model.encode(dandb.get_sounds().load("violin.wav", sr=44100))
    (figure,) = executed.cells[4].figures
    for name, line in curves(figure).items():
        assert np.allclose(line, z[0, int(name.split()[-1])].numpy(), atol=1e-4), name
    (picture,) = [trace for trace in figure["data"] if trace["type"] == "heatmap"]
    assert np.shape(picture["z"]) == (128, 173)
    assert len(executed.cells[5].figures) == 1
    assert draws(executed.cells[5], 0, model.decode(z)[0])


def test_fidelity(executed: Executed, model: BendedRAVE) -> None:
    dims, latents = executed.cells[6].figures
    (line,) = curves(dims).values()
    assert line.tolist() == [model.get_dims_for_fidelity(n / 100) for n in range(100)]
    assert executed.variables["n_dims"] == model.get_dims_for_fidelity(0.8)
    reduced = executed.variables["z_reduced"]
    assert reduced.shape == (1, executed.variables["n_dims"], 173)
    for name, drawn in curves(latents).items():
        assert np.allclose(drawn, reduced[0, int(name.split()[-1])].numpy(), atol=1e-5)


def test_latents_by_hand_are_heard(executed: Executed, model: BendedRAVE) -> None:
    cell, held = executed.cells[7], executed.variables
    assert cell.printed.splitlines() == ["torch.Size([2, 128, 173])", *MADE_NAMES]
    assert [title(figure) for figure in cell.figures] == MADE_NAMES
    assert len(cell.sounds) == len(MADE_NAMES)
    z = held["z"]
    assert not held["z1"][:, 1::2].any() and torch.equal(held["z1"][:, ::2], z[:, ::2])
    assert torch.equal(held["z4"][0, 1::2], z[1, 1::2]) and torch.equal(held["z4"][0, ::2], z[0, ::2])
    for number, latents in ((0, z[:1]), (7, held["z4"]), (8, held["z5"])):
        assert draws(cell, number, model.decode(latents)[0]), MADE_NAMES[number]
    assert torch.equal(held["out"], model.decode(held["z5"]))
