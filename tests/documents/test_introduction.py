"""The code cells of document 002 run unchanged and print the tables that it shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from .checks import check_all, curves, plays, title
from .kernel import Executed, execute
from .reading import agrees, code_cells, document_text, tables


@pytest.fixture(scope="module")
def executed(shared_dir: Path) -> Executed:
    """The document in a kernel; behind it, its cell 5 as its text has it."""
    cells = code_cells(shared_dir, "002")
    as_text = cells[5].replace("trace(x=x)", "trace(t=t)")
    return execute(cells, ["activations", "t", "wave"], [as_text])


@pytest.fixture(scope="module")
def printed(executed: Executed) -> list[str]:
    """What each cell printed; the last one is that of the text."""
    return [cell.printed for cell in executed.cells]


def test_all_is_there_and_nothing_is_from_elsewhere(executed: Executed) -> None:
    check_all(executed)
    told = {number: cell.errors for number, cell in enumerate(executed.cells) if cell.errors}
    assert told == {5: "forward() has no argument 'x': taken for 't'\n"}


def test_cells_are_those_of_the_text_but_for_one_argument(shared_dir: Path) -> None:
    """Cell 5 says ``trace(x=x)`` for a method whose argument is ``t``; the text says ``trace(t=t)``."""
    text = document_text(shared_dir, "002")
    cells = code_cells(shared_dir, "002")
    assert cells[5] == cells[3] and "trace(x=x)" in cells[5]
    assert cells[5].replace("trace(x=x)", "trace(t=t)") in text
    place = 0
    for number, cell in enumerate(cells):
        shown = cell.replace("trace(x=x)", "trace(t=t)") if number == 5 else cell
        place = text.index(shown, place) + len(shown)


def test_the_first_module_runs_and_its_trace_runs_its_own_code(printed: list[str]) -> None:
    assert printed[0].splitlines()[:4] == ["Testing python stuff : ", "4", "3", "number is three here!"]
    layers = "first layer shape :  torch.Size([4, 80])\nsecond layer shape :  torch.Size([4, 16])\n"
    assert layers in printed[2]
    assert printed[3].startswith(layers)


def test_tables_of_the_linear_module(printed: list[str], shared_dir: Path) -> None:
    shown = tables(document_text(shared_dir, "002"))
    weights, graph, activations = tables(printed[3])
    assert weights[0] == shown[0][0] and graph[0] == shown[1][0]
    # the values are random: names, shapes and dtypes are what can agree
    assert [row[:3] for row in weights[1]] == [row[:3] for row in shown[0][1]]
    assert len(shown[1][1]) == 3
    assert all(agrees(a, b) for a, b in zip(shown[1][1], graph[1], strict=False))
    assert graph[1][2:4] == [  # the cell then prints what print_tabular() returns, None
        ["call_module", "linear_2", "linear_2", "(linear_1,)", "{}"],
        ["output", "output", "output", "(linear_2,)", "{}"],
    ]
    assert [row[:4] for row in activations[1]] == [
        ["x", "placeholder", "x", "torch.Size([4, 4])"],
        ["linear_1", "call_module", "linear_1", "torch.Size([4, 80])"],
        ["linear_2", "call_module", "linear_2", "torch.Size([4, 16])"],
    ]


def test_tables_of_the_synthesiser(printed: list[str], shared_dir: Path) -> None:
    shown = tables(document_text(shared_dir, "002"))
    weights, graph, _ = tables(printed[5])
    assert weights == shown[2]
    assert graph[0] == shown[3][0]
    assert len(shown[3][1]) == 4
    assert all(agrees(a, b) for a, b in zip(shown[3][1], graph[1], strict=False))


def test_the_text_s_own_call_traces_the_same_graph(printed: list[str]) -> None:
    as_text = tables(printed[7])
    assert as_text[1] == tables(printed[5])[1]
    shapes = {row[0]: row[3] for row in as_text[2][1]}
    assert shapes["t"] == "torch.Size([88200])"
    assert shapes["sin"] == "torch.Size([1, 4, 88200])"


def test_the_synthesiser_is_heard(executed: Executed) -> None:
    wave = executed.variables["wave"]
    (sound,) = executed.cells[4].sounds
    # the player of the document scales to full scale
    assert plays(sound, wave.numpy(), 44100, loudest=float(wave.abs().max()))


def test_the_plotted_activations_are_the_synthesiser_s(executed: Executed) -> None:
    activations, t = executed.variables["activations"], executed.variables["t"]
    assert list(activations) == ["t", "mul_2", "sin", "mul_3", "sum_1"]
    phase = 2 * torch.pi * (110 * torch.arange(1, 5).reshape(1, 4, 1)) * t
    assert torch.equal(activations["mul_2"], phase)
    assert torch.equal(activations["sin"], phase.sin())
    assert torch.equal(activations["mul_3"], phase.sin() * 0.25)
    assert torch.equal(activations["sum_1"], (phase.sin() * 0.25).sum(-2))
    figures = executed.cells[6].figures
    assert [title(figure) for figure in figures] == list(activations)
    for figure, value in zip(figures, activations.values(), strict=True):
        rows = value.reshape(-1, value.shape[-1]).numpy()
        drawn = list(curves(figure).values())
        assert len(drawn) == len(rows)
        for line, row in zip(drawn, rows, strict=True):
            assert np.isclose(line.max(), row.max()) and np.isclose(line.min(), row.min())
