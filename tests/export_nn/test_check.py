"""Every configuration, bent and with live controls, passes the check in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import torchbend as tb
from torchbend.export.check import check, read_structure

from .conftest import Export
from .models import CHECKED, CONTEXT, bent_additive, bent_vocoder

SIZES = (8192,)
RATES = {"v1": (44100, 48000)}
"""Of the host, for one of them: nothing in a file depends on it."""


@pytest.mark.parametrize("name", CHECKED)
def test_a_bent_configuration_passes_the_check(exported: Callable[..., Export], name: str) -> None:
    export = exported(name)
    report = check(export.path, rates=RATES.get(name, (44100,)), blocks=SIZES, speed=False)
    assert report.ok, str(report)
    assert [m["name"] for m in report.methods] == ["encode", "decode", "forward"]
    assert [a["name"] for a in report.attributes][:2] == ["drive", "shift"]
    assert report.facts["delays"] == export.facts["delays"]
    assert report.facts["max_batch"] == export.rows
    assert all(report.state[m]["names"] for m in ("encode", "decode", "forward"))


@pytest.mark.parametrize(("make", "options"), [(bent_additive, {}), (bent_vocoder, {"context": CONTEXT})])
def test_a_bent_model_of_any_kind_passes_the_check(
    make: Callable[[], tb.BendedModule], options: dict[str, int], tmp_path: Path
) -> None:
    path = make().export(tmp_path / "model.ts", **options)
    assert read_structure(path).ours
    report = check(path, rates=(44100,), blocks=(64, 1024), speed=False)
    assert report.ok, str(report)
    assert not report.timings and not report.random
    assert [a["name"] for a in report.attributes] == ["drive", "shift"]
