"""The whole check, in a process of its own: what works, what crashes, what hangs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests.export_check.modules import FACTS, Echo, saved
from torch import Tensor

from torchbend.export.check import check


class Crashes(Echo):
    """Writes where there is no memory."""

    def forward(self, x: Tensor) -> Tensor:
        place = torch.full([1, 1], 1 << 44, dtype=torch.int64)
        return x + torch.ops.aten._sparse_coo_tensor_unsafe(place, torch.ones(1), [4]).to_dense()[0]


class Hangs(Echo):
    """Waits for a sample that never comes."""

    def forward(self, x: Tensor) -> Tensor:
        waited = 0
        while x.numel() > 0:
            waited += 1
        return x


class Chatters(Echo):
    """Prints, as much as it likes."""

    def forward(self, x: Tensor) -> Tensor:
        print("hello", x.shape)  # noqa: T201
        return x * 1


def live(blocks: list[Tensor]) -> list[Tensor]:
    """What the live module gives for blocks in order."""
    module = Echo()
    with torch.no_grad():
        return [module(x) for x in blocks]


def test_a_file_that_keeps_the_contract_is_ready(tmp_path: Path) -> None:
    blocks = [0.3 * torch.randn(2, 1, 128) for _ in range(4)]
    path = saved(Echo(), tmp_path / "echo.ts")
    report = check(path, compare={"forward": (blocks, live(blocks))})
    wrong = [finding for finding in report.failures if finding.part != "speed"]  # a busy machine
    assert not wrong, str(report)
    assert [t.block for t in report.timings] == [64 << k for k in range(8)]
    assert report.differences["forward"] <= 1e-6
    assert report.state["forward"] == {"names": ["cache"], "numbers": 400} and report.random == []
    assert report.attributes == [{"name": "gain", "kinds": ["float"]}]
    for t in report.timings:
        assert 0 < t.median_ms <= t.worst_ms and t.blocks >= 10
        assert t.latency_ms[48000] == pytest.approx(1e3 * (2 * t.block - 64 + 100) / 48000)
        assert t.real_time[44100] == pytest.approx(t.median_ms / (1e3 * t.block / 44100))
    assert json.loads(report.json())["ok"] is True
    assert str(report).startswith(f"{path}: 0 failure(s)")


def test_another_sound_than_the_live_model_is_told(tmp_path: Path) -> None:
    x = 0.3 * torch.randn(1, 1, 256)
    path = saved(Echo(), tmp_path / "echo.ts", {**FACTS, "controls": []})
    report = check(path, blocks=(64,), compare={"forward": (x, live([x])[0] + 1e-3), "decode": (x, x)})
    assert {(f.part, f.where) for f in report.failures} == {
        ("comparison", "forward()"),
        ("comparison", "decode()"),
    }


def test_a_file_that_crashes_is_told_with_the_step(tmp_path: Path) -> None:
    (told,) = check(saved(Crashes(), tmp_path / "crash.ts"), blocks=(64,)).failures
    assert told.part == "process" and "crashes" in told.message
    assert "SIGSEGV" in told.got and told.where == "forward(), blocks of 64 samples, 1 row(s)"


def test_a_file_that_hangs_is_ended_and_told(tmp_path: Path) -> None:
    (told,) = check(saved(Hangs(), tmp_path / "hang.ts"), blocks=(64,), timeout=10).failures
    assert told.part == "process" and "hangs" in told.message and "within 10 s" in told.wanted
    assert told.where == "forward(), blocks of 64 samples, 1 row(s)"


def test_a_foreign_file_that_prints_is_checked_where_it_is_trusted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(Chatters(), tmp_path / "foreign.ts", mark=False)
    (tmp_path / "torch.py").write_text("raise SystemExit('imported from beside the file')")
    monkeypatch.chdir(tmp_path)
    report = check(path, trust=True, blocks=(64,))
    assert not [finding for finding in report.failures if finding.part != "speed"]
    assert not report.structure["ours"]
    assert "hello" not in capfd.readouterr().out
