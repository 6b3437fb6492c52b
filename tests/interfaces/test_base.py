"""The base of interfaces: verbs, traced methods, and an export that works or is refused with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from torchbend.errors import ExportError
from torchbend.interfaces import BendingInterface

X, BY = torch.tensor([[0.5, -1.0, 2.0]]), torch.tensor(2.0)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def enlarge(self, x: Tensor) -> Tensor:
        return torch.sinh(self.layer(x))

    def shrink(self, x: Tensor, by: Tensor) -> Tensor:
        return torch.tanh(x) / by


class Enlarger(BendingInterface):
    def __init__(self, source: str) -> None:
        torch.manual_seed(len(source))
        super().__init__(Net())
        self.trace_methods()

    def example_inputs(self) -> Mapping[str, Any]:
        return {"enlarge": X, "shrink": {"x": X, "by": BY}}

    def both(self, x: Tensor, by: Tensor = BY) -> Tensor:
        """Enlarge, then shrink.

        Args:
            by: how much.
        """
        return self._call("shrink", (self._call("enlarge", (x,), {}), by), {})  # type: ignore[no-any-return]


class AtHome(Enlarger):
    export_targets = ()
    why_no_export = "it never leaves the house"

    def stay(self) -> None:
        """Do nothing."""


def test_methods_are_traced_and_bent_through_a_verb() -> None:
    model = Enlarger.load("abc")
    assert isinstance(model, Enlarger) and model.bent_methods == ["enlarge", "shrink"]
    net = model.wrapped_module
    assert torch.equal(model.both(X), net.shrink(net.enlarge(X), BY))
    model.bend(tb.Scale(0.0), "enlarge:sinh", "shrink:tanh")
    assert torch.equal(model.both(X), torch.zeros(1, 3))
    model.reset()
    assert torch.equal(model.both(X), net.shrink(net.enlarge(X), BY))


def test_verbs_are_listed_with_those_of_the_parents_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert AtHome("a").verbs == {"both": "Enlarge, then shrink.", "stay": "Do nothing."}
    table = AtHome("a").print_verbs()
    assert table in capsys.readouterr().out
    assert [line.split("  ")[0] for line in table.splitlines()[2:]] == ["both", "stay"]
    assert "x, by" in table


def test_export_works_or_says_why_not(tmp_path: Path) -> None:
    model = Enlarger("abc")
    target = model.export(tmp_path / "net.ts", "torchscript", methods=["enlarge"])
    assert torch.allclose(torch.jit.load(str(target)).enlarge(X), model.wrapped_module.enlarge(X))
    with pytest.raises(ExportError, match="never leaves the house"):
        AtHome("abc").export(tmp_path / "home.ts")
    with pytest.raises(ExportError) as told:
        model.export(tmp_path / "net.vst", "vst")
    assert "onnx" in str(told.value.wanted)
    assert [path.name for path in tmp_path.iterdir() if path.suffix in (".ts", ".vst")] == ["net.ts"]


def test_the_prototype_s_name_stays() -> None:
    assert tb.Interface is tb.BendingInterface is BendingInterface
