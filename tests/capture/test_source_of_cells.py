"""What is defined in a notebook's cell is told by the cell's number."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import torchbend as tb

CODE = """
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        y = torch.sin(x)
        return y + 1
"""


def traced(path: str) -> Any:
    scope: dict[str, Any] = {"__name__": "cell"}
    exec(compile(CODE, path, "exec"), scope)  # noqa: S102 - as a notebook does
    bended = tb.BendedModule(scope["Net"]())
    bended.trace(torch.zeros(2))
    return bended.activations()["sin"].source


def test_a_cell_is_named_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/tmp/ipykernel_12/3456.py"
    shell = SimpleNamespace(compile=SimpleNamespace(_filename_map={path: 7}))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert traced(path) == "In [7]:6"


def test_a_cell_without_a_number_is_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert traced("/tmp/ipykernel_13/3456.py") == "cell:6"


def test_a_file_is_named_with_its_folder() -> None:
    assert traced("/opt/models/net.py") == "models/net.py:6"
