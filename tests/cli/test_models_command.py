"""``torchbend models``: the table of kinds, all of one kind, and the same as data."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import Result

from torchbend.interfaces.kinds import all_kinds

Program = Callable[..., Result]


def fine(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_table_holds_every_kind(program: Program) -> None:
    said = fine(program("models"))
    for name, kind in all_kinds().items():
        row = next(line for line in said.splitlines() if line.split()[:2] == [name, kind.__name__])
        assert kind.makes in row
        assert all(target in row for target in kind.export_targets)
        assert all(verb in said for verb, _, _ in kind.verb_rows())


def test_listing_imports_no_heavy_library() -> None:
    code = (
        "import sys\nfrom torchbend.cli.main import main\nsys.argv = ['torchbend', 'models']\n"
        "try:\n    main()\n"
        "finally:\n    print([m for m in ('transformers', 'diffusers') if m in sys.modules])\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"


def test_one_kind(program: Program) -> None:
    said = fine(program("models", "rave"))
    for words in (
        "makes       sound (.wav",
        "needs       nothing more",
        "exports to  nn~, torchscript, onnx, pt2",
        "bent inside encode, decode, forward",
        "decode                 z, preprocess, fill,   Audio from latents.",
        "stream  None       in blocks, as nn~ plays",
        "INPUT: one sound file",
        "torchbend render rave:tiny INPUT --out FILE.wav",
    ):
        assert words in said
    assert "`" not in said


def test_as_data(program: Program) -> None:
    every = json.loads(fine(program("models", "--json")))
    assert [each["kind"] for each in every] == list(all_kinds())
    one = json.loads(fine(program("models", "rave", "--json")))
    assert one in every
    assert one["class"] == "BendedRAVE" and one["extra"] is None and one["install"] is None and one["tiny"]
    assert one["exports"] == ["nn~", "torchscript", "onnx", "pt2"] and ".wav" in one["writes"]
    assert {"name": "stream", "default": "None"}.items() <= one["options"][0].items()
    assert [verb["verb"] for verb in one["verbs"]][:3] == ["forward", "encode", "decode"]


@pytest.mark.parametrize(("given", "said"), [("raves", "closest: rave"), ("zzzz", "there are ")])
def test_an_unknown_kind(program: Program, given: str, said: str) -> None:
    result = program("models", given)
    assert result.exit_code == 2 and said in " ".join(result.stderr.replace("│", " ").split())
