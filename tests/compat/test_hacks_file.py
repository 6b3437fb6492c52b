"""Bends in a Python file that the user names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import torchbend as tb
from torchbend.errors import RecipeError


def test_callbacks_and_params_are_read(tmp_path: Path) -> None:
    file = tmp_path / "hacks.py"
    file.write_text("import torchbend as tb\ncallbacks = [tb.Scale(2.0)]\nparams = ['weight']\n")
    hacks = tb.import_hacks_from_file(file)
    assert hacks == {"callbacks": [tb.Scale(2.0)], "params": ["weight"]}
    net, x = torch.nn.Linear(2, 2, bias=False), torch.ones(1, 2)
    bended = tb.BendedModule(net)
    bended.bend(hacks["callbacks"][0], *hacks["params"])
    assert torch.equal(bended(x), 2 * net(x))


def test_activations_may_stand_alone(tmp_path: Path) -> None:
    file = tmp_path / "hacks.py"
    file.write_text("callbacks = []\nactivations = ['sin']\n")
    assert tb.import_hacks_from_file(str(file)) == {"callbacks": [], "params": [], "activations": ["sin"]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("callbacks = []\n", "what to bend"),
        ("params = []\n", "what to bend"),
        ("callbacks = [\n", "SyntaxError"),
        ("import no_such_module_anywhere\n", "ModuleNotFoundError"),
        ("callbacks = undefined\n", "NameError"),
    ],
)
def test_a_file_that_does_not_fit_is_told(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "hacks.py"
    file.write_text(text)
    with pytest.raises(RecipeError, match=told) as error:
        tb.import_hacks_from_file(file)
    assert error.value.site == str(file)


@pytest.mark.parametrize("name", ["missing.py", "hacks.txt"])
def test_a_missing_file_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "hacks.txt").write_text("callbacks = params = []")
    with pytest.raises(RecipeError, match="no such Python file"):
        tb.import_hacks_from_file(tmp_path / name)
