"""What cannot be exported is refused with the site's name, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from torchbend.errors import ExportError
from torchbend.export.agreement import difference
from torchbend.export.onnx import export_onnx
from torchbend.export.onnx_stream import OnnxStream
from torchbend.export.pt2 import export_pt2


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.linear(x))


class Echo(nn.Module):
    """Writes into a buffer, which starts with something in it, and puts another in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("past", torch.arange(3.0)[None])
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.past, x], -1)
        self.past.copy_(both[..., -3:])
        self.count = self.count + 1
        return both[..., :-3] * self.count


class Reading(tb.BendingCallback):
    """Reads its control as a Python number."""

    controllable_params = ("gain",)

    def __init__(self, gain: Any = 1.0) -> None:
        super().__init__()
        self.register_controllable("gain", gain)

    def bend(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x * float(self.get("gain"))


@pytest.fixture
def bended() -> tb.BendedModule:
    bended = tb.BendedModule(Net())
    bended.trace(torch.randn(2, 4))
    return bended


@pytest.mark.parametrize("export", [export_onnx, export_pt2])
@pytest.mark.parametrize(
    "callback",
    [
        lambda: tb.Lambda(lambda x: x * 2 if bool(x.mean() > 0) else x),
        lambda: tb.Lambda(lambda x: x * float(x.max())),
        lambda: Reading(tb.BendingParameter("gain", 2.0)),
        lambda: tb.Capture(),
    ],
    ids=["branch", "number", "control", "recording"],
)
def test_code_that_decides_by_values_is_refused_by_its_site(
    bended: tb.BendedModule, tmp_path: Path, callback: Callable[[], Any], export: Callable[..., Any]
) -> None:
    x = torch.randn(2, 4)
    bended.bend(callback(), "sin")
    before = bended(x)
    with pytest.raises(ExportError) as told:
        export(bended._engine, tmp_path / "net.file")
    assert told.value.site == "forward:sin"
    assert not list(tmp_path.iterdir())
    assert torch.equal(bended(x), before)


def test_a_lambda_of_torch_operations_is_exported(bended: tb.BendedModule, tmp_path: Path) -> None:
    bended.bend(tb.Lambda(lambda x: torch.where(x > 0, x, 0.5 * x)), "sin")
    (file,) = export_onnx(bended._engine, tmp_path / "net.onnx")
    x = torch.randn(5, 4)
    with torch.no_grad():
        assert difference(bended(x), torch.from_numpy(OnnxStream(file)(x))) < 1e-5


def test_a_complex_control_is_refused(bended: tb.BendedModule, tmp_path: Path) -> None:
    bended.bend(tb.Scale(tb.BendingParameter("turn", 1 + 2j)), "sin")
    with pytest.raises(ExportError, match="complex"):
        export_onnx(bended._engine, tmp_path / "net.onnx")


def test_states_begin_as_they_were_and_reset_brings_them_back(tmp_path: Path) -> None:
    model = Echo()
    bended = tb.BendedModule(model)
    bended.trace(torch.randn(1, 8))
    (file,) = export_onnx(bended._engine, tmp_path / "echo.onnx")
    assert torch.equal(model.past, torch.arange(3.0)[None]) and model.count == 0
    stream = OnnxStream(file)
    assert {s["name"] for s in stream.info()["states"]} == {"state.past", "state.count"}
    blocks = [torch.randn(1, n) for n in (8, 3, 5)]
    first = [stream(block).copy() for block in blocks]
    assert all(torch.allclose(bended(b), torch.from_numpy(f)) for b, f in zip(blocks, first, strict=True))
    stream.reset()
    assert all((stream(b) == f).all() for b, f in zip(blocks, first, strict=True))


class Louder(tb.BendingCallback):
    """Louder with each call."""

    def bend(self, x: Tensor, site: Any) -> Tensor:
        count: Tensor = site.once("count", lambda: torch.zeros(1))
        return x * count.add_(1)


@pytest.mark.parametrize("export", [export_onnx, export_pt2])
def test_a_callback_that_goes_on_from_call_to_call_is_refused(
    bended: tb.BendedModule, export: Callable[..., Any], tmp_path: Path
) -> None:
    bended.bend(Louder(), "sin")
    with pytest.raises(ExportError, match="remembers something from call to call") as told:
        export(bended._engine, tmp_path / "net.file")
    assert (told.value.site, told.value.got) == ("forward:sin", "'count', which each call changes")
    assert not list(tmp_path.iterdir())
