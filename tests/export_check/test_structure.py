"""A file is looked at before anything of it runs; what is foreign waits for a word of trust."""

from __future__ import annotations

import io
import json
import random
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from tests.export_check.modules import FACTS, Echo, saved

from torchbend.errors import ExportError
from torchbend.export.check import MARK, check, code_digest, read_structure, write_mark
from torchbend.export.check.facts import Facts


def rewritten(path: Path, name: str, change: bytes | None, add: dict[str, bytes] | None = None) -> Path:
    """The archive with another content of the file that ends in ``name``; None leaves it out."""
    with zipfile.ZipFile(path) as archive:
        contents = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in {**contents, **(add or {})}.items():
            if entry.endswith(name):
                if change is None:
                    continue
                content = change
            archive.writestr(entry, content)
    return path


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    return saved(Echo(), tmp_path / "echo.ts")


def test_a_marked_file_is_ours(echo: Path) -> None:
    structure = read_structure(echo)
    assert structure.ours and structure.readable and not structure.findings
    assert structure.facts == Facts(44100, 4, {"forward": 100}, {"gain": (0.0, 2.0)})
    assert structure.program.buffer_names() == ["cache", "forward_params", "gain", "gain_params"]
    assert torch.jit.load(str(echo)).get_methods() == ["forward"]


def test_the_mark_can_be_written_by_torch_too(tmp_path: Path) -> None:
    path = tmp_path / "echo.ts"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(Echo())
        first = io.BytesIO()
        torch.jit.save(scripted, first)
        mark = json.dumps({**FACTS, "sha256": code_digest(first)})
        torch.jit.save(scripted, str(path), _extra_files={MARK: mark})
        told = {MARK: ""}
        torch.jit.load(str(path), _extra_files=told)
    assert json.loads(told[MARK])["max_batch"] == 4
    assert read_structure(path).ours
    with pytest.raises(ExportError, match="marked already"):
        write_mark(path, {})


def test_without_a_mark_nothing_runs(tmp_path: Path) -> None:
    path = saved(Echo(), tmp_path / "echo.ts", mark=False)
    with pytest.raises(ExportError, match="did not write") as told:
        check(path)
    assert "no mark" in str(told.value) and "trust=True" in str(told.value)


def test_a_program_that_was_changed_after_it_was_marked_is_foreign(echo: Path) -> None:
    with zipfile.ZipFile(echo) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("modules.py")]
        text = archive.read(name).replace(b"forward", b"backward")
    with pytest.raises(ExportError, match="not the one that was marked"):
        check(rewritten(echo, name, text))
    extra = {"echo/code/__torch__/more.py": b"def f(x: Tensor) -> Tensor:\n  return x\n"}
    assert not read_structure(rewritten(saved(Echo(), echo), "nothing", None, extra)).ours


@pytest.mark.parametrize("mark", [b"", b"[]", b"{", b'{"sha256": 3}', b"\xff\xfe", b"[" * 5000])
def test_a_mark_that_makes_no_sense_is_none(echo: Path, mark: bytes) -> None:
    structure = read_structure(rewritten(echo, MARK, mark))
    assert structure.readable and not structure.ours


def test_facts_beside_the_file_are_read_too(tmp_path: Path) -> None:
    path = saved(Echo(), tmp_path / "echo.ts", {"delays": {"forward": 3}})
    beside = {"controls": {"gain": {"range": [0, 1]}}, "delays": {"forward": 9}, "sample_rate": 48000}
    (tmp_path / "echo.json").write_text(json.dumps(beside))
    assert read_structure(path).facts == Facts(48000, None, {"forward": 3}, {"gain": (0, 1)})
    (tmp_path / "echo.json").write_text("no json")
    assert read_structure(path).facts == Facts(None, None, {"forward": 3}, {})


@pytest.mark.parametrize(
    "facts",
    [
        {"controls": 3},
        {"controls": [3, {"name": "x"}]},
        {"delays": "late", "max_batch": -1},
        {"sample_rate": "x"},
    ],
)
def test_facts_that_make_no_sense_are_none(facts: dict[str, object]) -> None:
    told = Facts.read(facts)
    assert (told.sample_rate, told.max_batch, told.delays) == (None, None, {})
    assert all(ends == (None, None) for ends in told.ranges.values())


def test_a_newer_format_is_told(echo: Path) -> None:
    (told,) = read_structure(rewritten(echo, "/version", b"11\n")).findings
    assert "newer format" in told.message and told.level == "failure"


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + b"\0" * 100])
def test_what_is_no_archive_is_a_failure_and_no_crash(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.ts"
    path.write_bytes(content)
    report = check(path)
    assert not report.ok and report.failures[0].part == "structure"


@pytest.mark.parametrize("gone", ["constants.pkl", "data.pkl", ".py"])
def test_an_archive_of_another_kind_is_told(echo: Path, gone: str) -> None:
    assert not check(rewritten(echo, gone, None)).ok


def test_damage_is_told_and_nothing_runs(echo: Path) -> None:
    whole = echo.read_bytes()
    chance = random.Random(0)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(8):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        echo.write_bytes(bytes(damaged[: chance.choice([len(damaged), len(damaged) // 2])]))
        structure = read_structure(echo)
        assert structure.findings or not structure.readable or structure.ours


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no such file"):
        check(tmp_path / "gone.ts")
    with pytest.raises(ExportError, match="no TorchScript archive"):
        code_digest(tmp_path / "gone.ts")


@pytest.mark.parametrize(
    "wrong", [{"rates": ()}, {"rates": (0,)}, {"blocks": (63,)}, {"blocks": (100,)}, {"timeout": 0}]
)
def test_arguments_that_cannot_be_meant_are_refused(echo: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ExportError):
        check(echo, **wrong)  # type: ignore[arg-type]
