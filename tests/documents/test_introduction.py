"""The code cells of document 002 run unchanged and print the tables that it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from .reading import agrees, code_cells, document_text, run_cells, tables


@pytest.fixture
def session(shared_dir: Path, stand_ins: Path) -> tuple[list[str], dict[str, Any]]:
    """What each cell of the document printed, and its variables afterwards."""
    namespace: dict[str, Any] = {"__name__": "document"}
    torch.manual_seed(0)
    return run_cells(code_cells(shared_dir, "002"), namespace), namespace


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


def test_the_first_module_runs_and_its_trace_runs_its_own_code(
    session: tuple[list[str], dict[str, Any]],
) -> None:
    printed, _ = session
    layers = "first layer shape :  torch.Size([4, 80])\nsecond layer shape :  torch.Size([4, 16])\n"
    assert layers in printed[2]
    assert printed[3].startswith(layers)


def test_tables_of_the_linear_module(session: tuple[list[str], dict[str, Any]], shared_dir: Path) -> None:
    shown = tables(document_text(shared_dir, "002"))
    weights, graph, activations = tables(session[0][3])
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


def test_tables_of_the_synthesiser(session: tuple[list[str], dict[str, Any]], shared_dir: Path) -> None:
    shown = tables(document_text(shared_dir, "002"))
    weights, graph, _ = tables(session[0][5])
    assert weights == shown[2]
    assert graph[0] == shown[3][0]
    assert len(shown[3][1]) == 4
    assert all(agrees(a, b) for a, b in zip(shown[3][1], graph[1], strict=False))


def test_the_text_s_own_call_traces_the_same_graph(
    session: tuple[list[str], dict[str, Any]], shared_dir: Path
) -> None:
    cell = code_cells(shared_dir, "002")[5]
    (printed,) = run_cells([cell.replace("trace(x=x)", "trace(t=t)")], session[1])
    assert tables(printed)[1] == tables(session[0][5])[1]
    shapes = {row[0]: row[3] for row in tables(printed)[2][1]}
    assert shapes["t"] == "torch.Size([88200])"
    assert shapes["sin"] == "torch.Size([1, 4, 88200])"


def test_the_plotted_activations_are_the_synthesiser_s(session: tuple[list[str], dict[str, Any]]) -> None:
    variables = session[1]
    activations, t = variables["activations"], variables["t"]
    assert list(activations) == ["t", "mul_2", "sin", "mul_3", "sum_1"]
    phase = 2 * torch.pi * (110 * torch.arange(1, 5).reshape(1, 4, 1)) * t
    assert torch.equal(activations["mul_2"], phase)
    assert torch.equal(activations["sin"], phase.sin())
    assert torch.equal(activations["mul_3"], phase.sin() * 0.25)
    assert torch.equal(activations["sum_1"], (phase.sin() * 0.25).sum(-2))
