"""The additive synthesiser leaves Python with two live controls, as ONNX and as a torch.export package."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.export_onnx.models import score, synthesiser

import torchbend as tb
from torchbend.errors import ControlError, ExportError, NotTracedError, ShapeError
from torchbend.export.agreement import difference
from torchbend.export.onnx import export_onnx
from torchbend.export.onnx_stream import OnnxStream
from torchbend.export.pt2 import export_pt2

SETTINGS = ((1.0, 0), (0.5, 1), (2.0, -1), (1.25, 0))


@pytest.fixture(scope="module")
def bended() -> tb.BendedModule:
    return synthesiser()


@pytest.fixture(scope="module")
def file(bended: tb.BendedModule, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxruntime")
    path = tmp_path_factory.mktemp("onnx") / "synthesiser.onnx"
    (made,) = export_onnx(bended._engine, path)
    assert made == path and [p.name for p in path.parent.iterdir()] == [path.name]
    return path


def test_any_length_and_batch_gives_the_live_numbers_at_each_setting(
    bended: tb.BendedModule, file: Path
) -> None:
    stream = OnnxStream(file)
    for (stretch, shift), length in zip(SETTINGS, (64, 1, 7, 500), strict=True):
        for name, value in (("stretch", stretch), ("shift", shift)):
            stream.set(name, value)
            bended.update(name, value)
            assert stream.get(name) == value
        x = score(length).repeat(length % 3 + 1, 1, 1)
        with torch.no_grad():
            assert difference(bended(x), torch.from_numpy(stream(x))) < 1e-5


def test_the_file_says_what_a_host_has_to_know(file: Path) -> None:
    info = OnnxStream(file).info()
    assert [c["name"] for c in info["controls"]] == ["stretch", "shift"]
    assert info["controls"][0]["range"] == [0.5, 2.0] and info["controls"][1]["type"] == "int"
    assert info["inputs"][0]["shape"][-1] == "n"
    assert info["sample_rate"] == 22050 and info["states"] == []


@pytest.mark.parametrize("value", [0.49, 2.01, float("nan"), float("inf"), "loud"])
def test_a_value_out_of_range_is_refused_and_changes_nothing(file: Path, value: float) -> None:
    stream = OnnxStream(file)
    stream.set("stretch", 1.5)
    with pytest.raises(ControlError, match="stretch"):
        stream.set("stretch", value)
    assert stream.get("stretch") == 1.5


def test_wrong_names_and_shapes_are_told(file: Path, tmp_path: Path) -> None:
    stream = OnnxStream(file)
    with pytest.raises(ControlError, match="no control 'gain'"):
        stream.set("gain", 1.0)
    with pytest.raises(ShapeError, match="cannot take this block"):
        stream(np.zeros((2, 8)))
    with pytest.raises(ShapeError, match="other inputs"):
        stream()
    with pytest.raises(ExportError, match="no such method"):
        stream(score(4), method="decode")
    (tmp_path / "no.onnx").write_text("no graph")
    with pytest.raises(ExportError, match="cannot open"):
        OnnxStream(tmp_path / "no.onnx")


def test_a_package_of_torch_export_gives_the_same_numbers_with_the_same_controls(
    bended: tb.BendedModule, tmp_path: Path
) -> None:
    (path,) = export_pt2(bended._engine, tmp_path / "synthesiser.pt2")
    extra = {"torchbend": ""}
    module = torch.export.load(path, extra_files=extra).module(check_guards=False)
    assert json.loads(extra["torchbend"])["method"] == "forward"
    for (stretch, shift), length in zip(SETTINGS, (64, 1, 7, 500), strict=True):
        bended.update("stretch", stretch)
        bended.update("shift", shift)
        controls = {"stretch": torch.tensor(stretch), "shift": torch.tensor(shift)}
        (found,), states = module(inputs={"score": score(length)}, states={}, controls=controls)
        with torch.no_grad():
            assert difference(bended(score(length)), found) < 1e-5
        assert states == {}


def test_a_method_that_was_not_traced_is_told(bended: tb.BendedModule, tmp_path: Path) -> None:
    with pytest.raises(NotTracedError):
        export_pt2(bended._engine, tmp_path / "x.pt2", "encode")
    assert not list(tmp_path.iterdir())
