"""``torchbend export`` writes what `export` writes, all of it or nothing, and says what to do next."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result

from torchbend.export import TARGETS

Program = Callable[..., Result]
NET = "net_for_cli.py:Net"
RANDOM = ("-i", "random:1,1,64")


def test_a_rave_model_with_a_recipe(birds: Path, folder: Path, program: Program) -> None:
    words = ("--recipe", birds.parent / "r.json", "--latents", 3, "--channels", 2, "--batch", 1)
    result = program("export", birds, *words, "--set", "amount=0.5", "--fill", "zeros", "--out", "out/m.ts")
    assert result.exit_code == 0, result.output
    said = result.stdout.splitlines()
    assert said[0] == "bent 1 site(s): decoder.net.21.weight_g"
    assert said[1:] == [
        *(f"wrote {Path('out') / name}" for name in ("m.ts", "m.json", "m.maxpat", "m.pd")),
        f"next: torchbend check {Path('out', 'm.ts')}",
    ]
    facts = json.loads((folder / "out" / "m.json").read_text("utf-8"))
    assert facts["methods"]["encode"] == [2, 1, 6, 2048]
    assert facts["max_batch"] == 1
    assert facts["controls"] == [{"name": "amount", "type": "float", "value": 0.5, "range": [0, 2]}]
    loaded = torch.jit.load(folder / "out" / "m.ts")  # type: ignore[no-untyped-call]
    assert loaded.get_amount() == (0.5,)
    assert loaded.forward(torch.zeros(1, 2, 4096)).shape == (1, 2, 4096)


def test_any_model_by_its_call(folder: Path, program: Program) -> None:
    result = program("export", NET, *RANDOM, "-w", "w.pt", "-b", "Scale(0.5)@sin$", "-o", "n.ts")
    assert result.exit_code == 0, result.output
    bended = torch.jit.load(folder / "n.ts")  # type: ignore[no-untyped-call]
    x = torch.randn(1, 1, 128)
    assert bended.get_methods() == ["forward"]
    assert bended.forward(x).shape == (1, 1, 128)


def test_any_model_by_its_numbers_and_without_patches(folder: Path, program: Program) -> None:
    result = program("export", NET, "--method", "forward=1,1,1,1", "-o", "n.ts", "--no-patches")
    assert result.exit_code == 0, result.output
    assert {p.name for p in folder.glob("n.*")} == {"n.ts", "n.json"}
    assert "n.pd" not in result.stdout


@pytest.mark.parametrize("target", [t for t in TARGETS if t == "torchscript"])
def test_other_targets(folder: Path, program: Program, target: str) -> None:
    result = program("export", NET, *RANDOM, "--target", target, "-o", "n.ts")
    assert result.exit_code == 0, result.output
    assert "wrote n.ts" in result.stdout and "check" not in result.stdout
    assert not (folder / "n.pd").exists()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("nowhere.ts",), 1, "there is no such model"),
        (("net_for_cli.py",), 2, "names no factory"),
        (("nowhere.py:Net", *RANDOM), 1, "no such file"),
        ((NET,), 2, "give an --input"),
        ((NET, *RANDOM, "--latents", "2"), 2, "this is for RAVE models"),
        ((NET, *RANDOM, "--target", "cassette"), 2, "none of: nn~"),
        ((NET, *RANDOM, "--fill", "water"), 2, "neither noise nor zeros"),
        ((NET, "--method", "forward=1,1"), 2, "is not NAME=IN,RATIO,OUT,RATIO"),
        ((NET, "--method", "forward=1,3,1,1"), 1, "power of two"),
        ((NET, "--method", "sing=1,1,1,1"), 2, "no method 'sing'"),
        ((NET, *RANDOM, "--recipe", "none.json"), 1, "cannot be read"),
        ((NET, *RANDOM, "-b", "Scale(2)@nothing"), 1, "matches no site"),
        ((NET, "-i", "x=random:1,1,9", "--call", "encode"), 1, "one signal"),
        (("w.pt",), 1, "w.pt"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    folder: Path, program: Program, words: tuple[str, ...], status: int, said: str
) -> None:
    before = {path.name for path in folder.iterdir()} - {"__pycache__"}
    result = program("export", *words, "--out", "x.ts")
    assert result.exit_code == status, result.output
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.output
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == before


def test_endings_and_folders(folder: Path, program: Program) -> None:
    (folder / "d.ts").mkdir()
    for out, said in (("x.wav", "should end in .ts"), ("d.ts", "is a folder")):
        result = program("export", NET, *RANDOM, "--out", out)
        assert result.exit_code == 2 and said in " ".join(result.stderr.split())


def test_what_is_not_for_this_model(birds: Path, folder: Path, program: Program) -> None:
    for words, said in (
        (("--weights", "w.pt"), "factory's models"),
        (("--target", "torchscript", "--batch", "2"), "this is for nn~"),
        (("--method", "forward=1,1,1,1"), "for"),
    ):
        result = program("export", birds, *words, "--out", "x.ts")
        assert result.exit_code == 2 and said in " ".join(result.stderr.split()), result.output
    result = program("export", birds, "--latents", "20", "--out", "x.ts")
    assert result.exit_code == 1 and "1 to 8" in result.stderr
    assert not (folder / "x.ts").exists() and not (folder / "x.json").exists()
