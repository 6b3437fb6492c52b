"""The code cells of document 003 up to "Bending MusicGen" run unchanged and do what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from .checks import check_all, plays, values_of
from .kernel import Executed, execute
from .reading import agrees, code_cells, document_text, tables

CELLS = 8
"""Cells 8 to 10 bend MusicGen: they are run by the tests of that interface."""

BROKEN = "print('-- bending layer %s with callback %s...')%(layer, callback)"
"""Two lines of cell 10: they format what ``print`` returns, which is nothing."""

VARIABLES = ["t", "wave", "wave_bended", "wave_bended_2", "wave_out", "out"]


@pytest.fixture(scope="module")
def executed(shared_dir: Path) -> Executed:
    """The document in a kernel; behind it, its model once more, without bends."""
    after = "bended.reset(); unbent = torch.equal(bended(t), module(t))"
    return execute(code_cells(shared_dir, "003")[:CELLS], [*VARIABLES, "unbent"], [after])


@pytest.fixture(scope="module")
def variables(executed: Executed) -> dict[str, Any]:
    """What the document's variables held at its end."""
    return executed.variables


def _wave(t: Tensor, f0: float = 110.0, mult: float = 1.0) -> Tensor:
    """The synthesiser of the document, written down directly. Shape: t [B, T] -> [B, T]."""
    freqs = f0 * torch.arange(1, 5).reshape(4, 1) * mult
    return (torch.sin(2 * torch.pi * freqs * t.unsqueeze(-2)) / 4).sum(-2)


def test_cells_are_those_of_the_text(shared_dir: Path) -> None:
    text, cells = document_text(shared_dir, "003"), code_cells(shared_dir, "003")
    assert all(cell in text for cell in cells[:CELLS])
    assert "BendedMusicGen" in cells[CELLS] and "BendedMusicGen" not in "".join(cells[:CELLS])
    assert len(cells) == CELLS + 3 and cells[10].count(BROKEN) == 2


def test_all_is_there_and_nothing_is_from_elsewhere(executed: Executed) -> None:
    check_all(executed)
    assert all(not cell.errors for cell in executed.cells)


def test_weight_table(executed: Executed, shared_dir: Path) -> None:
    assert tables(executed.cells[1].printed) == tables(document_text(shared_dir, "003"))[:1]


def test_graph_table(executed: Executed, shared_dir: Path) -> None:
    shown = tables(document_text(shared_dir, "003"))[1]
    graph, activations = tables(executed.cells[2].printed)
    assert graph[0] == shown[0]
    assert len(shown[1]) == 7
    assert all(agrees(a, b) for a, b in zip(shown[1], graph[1], strict=False))
    # what the document cuts off, but names in its text: softmax, mul_3, sum_1 and what they take
    rest = {row[1]: row for row in graph[1][7:]}
    assert rest["sin"][3] == "(mul_2,)"
    assert rest["softmax"][3] == "(amps,)"
    assert rest["mul_3"][2:4] == ["<built-in function mul>", "(sin, softmax)"]
    assert rest["sum_1"] == ["call_method", "sum_1", "sum", "(mul_3, -2)", "{}"]
    assert rest["output"][3] == "(sum_1,)"
    assert [row[0] for row in activations[1]] == [row[1] for row in graph[1][:-1]]


def test_bent_weights_sound_as_the_document_says(executed: Executed, variables: dict[str, Any]) -> None:
    t = variables["t"][None]
    assert torch.allclose(variables["wave"], _wave(t), atol=1e-4)
    # the fifth cell binds wave_bended anew: everything that begins with f times 2, so the pitch times 4
    assert torch.allclose(variables["wave_bended"], _wave(t, 440.0), atol=1e-3)
    assert torch.allclose(variables["wave_bended_2"], _wave(t, 110.0, 1.3), atol=1e-3)
    whole = variables["wave_out"]
    assert whole.shape == (1, 3 * 88200 + 2 * 44100)
    # first pitch times 4, by f0 alone
    assert torch.allclose(whole[:, 132300:220500], _wave(t, 440.0), atol=1e-3)
    # three cells play what they made, scaled to full scale by the player
    for number, heard in ((0, variables["wave"]), (3, whole), (4, variables["wave_bended"])):
        (sound,) = executed.cells[number].sounds
        assert plays(sound, heard.numpy(), 44100, loudest=float(heard.abs().max())), number


def test_activations_printed(executed: Executed, shared_dir: Path) -> None:
    printed = executed.cells[5].printed
    assert printed in document_text(shared_dir, "003")
    assert "dict_keys(['mul', 'sin', 'mul_3', 'sum_1'])" in printed


def test_waveshaped_partials(executed: Executed, variables: dict[str, Any]) -> None:
    """The seventh cell leaves what it collected bent in ``out`` (the eighth fails before it binds it)."""
    bent = variables["out"]["sin"]
    plain = torch.sin(
        2 * torch.pi * (110 * torch.arange(1, 5).reshape(1, 4, 1)) * variables["t"].unsqueeze(-2)
    )
    assert torch.equal(bent[:, 0], (plain[:, 0] > 0).float())
    assert torch.equal(bent[:, 1], (plain[:, 1] - plain[:, 1].roll(-1, -1)) / 2 * 100)
    noise = bent[:, 2] - plain[:, 2]
    assert abs(noise.std().item() - 0.2) < 0.01 and abs(noise.mean().item()) < 0.01
    assert torch.equal(bent[:, 3], bent[:, 2].pow(8) % 0.4)
    assert torch.equal(variables["out"]["mul_3"], bent * torch.full((1, 4, 1), 0.25))
    assert torch.equal(variables["out"]["sum_1"], variables["out"]["mul_3"].sum(-2))


def test_wrong_shape_is_told_at_the_bend(executed: Executed, shared_dir: Path) -> None:
    printed = executed.cells[7].printed
    old = next(line for line in document_text(shared_dir, "003").splitlines() if line.startswith("Got error"))
    assert old.removeprefix("Got error :  ") in printed
    assert "wrong_add_partial" in printed and "forward:sin" in printed
    assert "(1, 4, 88200)" in printed and "(1, 5, 88200)" in printed
    assert executed.variables["unbent"]


def test_partials_are_drawn(executed: Executed, variables: dict[str, Any]) -> None:
    """Plain in cell 5, bent in cell 6, a tenth of a second each."""
    shown = variables["t"][:4410]
    plain = torch.sin(2 * torch.pi * (110 * torch.arange(1, 5).reshape(4, 1)) * shown)
    for number, value in ((5, plain), (6, variables["out"]["sin"][0, :, :4410])):
        (figure,) = executed.cells[number].figures
        assert len(figure["data"]) == 4
        for trace, row in zip(figure["data"], value, strict=True):
            assert np.allclose(values_of(trace), row.numpy(), atol=1e-4), number
