"""Operators are held against the list of libtorch 2.5.1, by name, by number and by type of arguments."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.export_check.modules import Echo, saved
from torch import Tensor, nn

from torchbend.export.check.operators import check_calls, check_graphs
from torchbend.export.check.program import Program, read_program
from torchbend.export.check.schemas import accepting, known, parse_schema, same_arguments
from torchbend.export.check.structure import read_structure


def listed() -> list[str]:
    import gzip

    data = files("torchbend.export.check").joinpath("libtorch-2.5.1.txt.gz").read_bytes()
    assert len(data) < 200_000
    return gzip.decompress(data).decode().splitlines()


def test_each_operator_of_the_list_takes_what_it_takes() -> None:
    lines = listed()
    assert len(lines) == 4217
    for line in lines:
        schema = parse_schema(line)
        if "posinf, float? posinf" not in line:  # two arguments of one name: nothing can be said of that one
            assert same_arguments(schema), line
        assert schema in known(schema.name)


def test_the_list_is_that_of_the_shared_folder(shared_dir: Path) -> None:
    import gzip

    path = shared_dir / "nn" / "libtorch-2.5.1-operators.txt.gz"
    assert gzip.decompress(path.read_bytes()).decode().splitlines() == listed()


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ("aten::relu(Tensor self) -> Tensor", True),
        ("aten::relu(Tensor self, *, int new=0) -> Tensor", True),
        ("aten::relu(Tensor self, int needed) -> Tensor", False),
        ("aten::relu(int self) -> Tensor", False),
        ("aten::elu.other_name(Tensor self, Scalar alpha=1) -> Tensor", True),
        ("aten::elu(Tensor(a!) self, SymInt alpha=1) -> Tensor(a!)", True),
        ("aten::elu(Tensor self, str alpha) -> Tensor", False),
        ("aten::no_such_operator(Tensor self) -> Tensor", False),
        ("mine::relu(Tensor self) -> Tensor", False),
        ("aten::format(str self, ...) -> str", True),
    ],
)
def test_a_schema_fits_or_not(schema: str, fits: bool) -> None:
    told = check_graphs({schema: ["forward"]}, Program())
    assert bool(told) is not fits
    assert all("forward" in finding.got for finding in told)


@pytest.mark.parametrize(
    ("name", "positional", "keywords", "fits"),
    [
        ("aten::add", 2, (), True),
        ("aten::add", 2, ("alpha",), True),
        ("aten::add", 2, ("beta",), False),
        ("aten::add", 9, (), False),
        ("aten::conv1d", 2, (), True),
        ("aten::conv1d", 7, (), True),
        ("aten::conv1d", 8, (), False),
        ("aten::conv1d", 1, (), False),
    ],
)
def test_a_call_fits_or_not(name: str, positional: int, keywords: tuple[str, ...], fits: bool) -> None:
    assert bool(accepting(name, positional, keywords)) is fits


def test_an_argument_that_only_a_newer_operator_has() -> None:
    newer = (
        "aten::stft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, "
    )
    newer += "bool normalized=False, bool? onesided=None, bool? return_complex=None, "
    newer += "bool? align_to_window=None) -> Tensor"
    for given, fits in ((8, True), (9, False)):
        names = ", ".join(f"a{k}" for k in range(given))
        program = read_program(
            {"__torch__.py": f"def f(x: Tensor) -> Tensor:\n  return torch.stft({names})\n"}
        )
        assert not check_calls(program)  # another overload takes nine, of other types
        told = check_graphs({newer: ["forward"]}, program)
        assert bool(told) is not fits
        assert all("other arguments" in finding.message for finding in told)


class Upsamples(Echo):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(x)[..., ::2]


class Spectrum(Echo):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.stft(x[:, 0], 64, window=torch.ones(64), return_complex=True).abs().mean() * 0.0


@pytest.mark.skipif(not known("aten::stft"), reason="needs the list")
@pytest.mark.parametrize(("module", "operator"), [(Upsamples, "lanczos"), (Spectrum, "aten::stft")])
def test_what_is_seen_to_fail_in_the_host_is_told(
    checked: Callable[..., Any], module: type[nn.Module], operator: str
) -> None:
    if "align_to_window" not in str(torch.ops.aten.stft.default._schema):
        pytest.skip("this torch writes files as libtorch 2.5.1 does")
    told = [f for f in checked(module(), blocks=(64,)).findings if f.part == "operators"]
    assert told and operator in told[0].where


def test_what_is_seen_to_work_in_the_host_is_not_told(checked: Callable[..., Any]) -> None:
    class Traced(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = torch.nn.functional.interpolate(x, scale_factor=2.0, mode="linear")[..., ::2]
            return y + torch.ops.aten.upsample_nearest1d(x, [x.shape[-1]])

    class Around(Echo):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.jit.trace(Traced(), torch.randn(1, 1, 64))

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)

    assert not [f for f in checked(Around(), blocks=(64,)).findings if f.part == "operators"]


def test_operators_of_functions_that_no_method_calls_count(tmp_path: Path) -> None:
    program = read_program(
        {"__torch__/a.py": "def unused(x: Tensor) -> Tensor:\n  return ops.mine.thing(x, y=1)\n"}
    )
    (told,) = check_calls(program)
    assert (told.where, told.got) == ("mine::thing", "1 argument(s) and y in a.unused")


def test_the_text_tells_buffers_and_state(tmp_path: Path) -> None:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("held", torch.zeros(3))
            self.weight = nn.Parameter(torch.ones(1))
            self.loose = torch.zeros(2)

        def forward(self, x: Tensor) -> Tensor:
            self.loose = self.loose + 1
            return x * self.weight

    module = nn.Sequential(Inner(), nn.Sequential(Inner()))
    program = read_structure(saved(module, tmp_path / "m.ts", {})).program
    assert program.buffer_names() == ["0.held", "1.0.held"]
    assert program.state_names() == ["0.held", "0.loose", "1.0.held", "1.0.loose"]


def test_text_that_is_not_understood_is_told() -> None:
    program = read_program({"__torch__/a.py": "def broken(", "__torch__/b.py": "x = 1\n" * 3})
    assert list(program.unread) == ["__torch__/a.py"]
