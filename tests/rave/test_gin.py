"""The reader of configuration files: the whole subset, nothing executed, errors with line and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchbend.errors import RAVEConfigError
from torchbend.rave.checkpoints.gin import parse_gin, read_gin_file
from torchbend.rave.checkpoints.gin_lookup import Lookup
from torchbend.rave.checkpoints.gin_tokens import Macro, Reference

EVERYTHING = """
from __gin__ import dynamic_registration
import cached_conv as cc  # a comment
import torch.nn as nn
from rave import blocks

# Macros:
# ====================
CAPACITY = 6
RATE = 1e-07
RATIOS = [4, 4, # inside brackets
          4, 2,]
NAME = 'a' "b"
NESTED = {'feature_matching': 20, 1: (5, 1), 'none': None}
MINUS = -2.5
ALIAS = %CAPACITY

model.RAVE.weights = \\
    {'adversarial': 2,
     'fullband_spectral_distance': 2}
variational/blocks.EncoderV2.capacity = %ALIAS
blocks.EncoderV2.capacity = 3
blocks.GeneratorV2.latent_size = @core.get_augmented_latent_size()
model.RAVE.encoder = @variational/blocks.VariationalEncoder
periods/nn.Conv2d.bias = True
core.get_augmented_latent_size:
    latent_size = %CAPACITY

    noise_augmentation = 8  # in a block

D.list = [@a.B, @scope/c.D]
Empty.values = []
Empty.pair = ()
"""


def test_everything_that_runs_write() -> None:
    file = parse_gin(EVERYTHING)
    assert file.imports[0] == "from __gin__ import dynamic_registration"
    assert file.imports[2] == "import torch.nn as nn"
    assert file.macros["RATIOS"] == [4, 4, 4, 2]
    assert file.macros["RATE"] == 1e-07 and file.macros["MINUS"] == -2.5
    assert file.macros["NAME"] == "ab" and file.macros["ALIAS"] == Macro("CAPACITY")
    assert file.macros["NESTED"] == {"feature_matching": 20, 1: (5, 1), "none": None}
    values = {str(binding): binding.value for binding in file.bindings}
    assert values["model.RAVE.weights"] == {"adversarial": 2, "fullband_spectral_distance": 2}
    assert values["model.RAVE.encoder"] == Reference("blocks.VariationalEncoder", "variational")
    assert values["D.list"] == [Reference("a.B"), Reference("c.D", "scope")]
    assert values["Empty.values"] == [] and values["Empty.pair"] == ()


def test_lookup_resolves_late_and_in_scopes() -> None:
    lookup = Lookup(parse_gin(EVERYTHING + "\nCAPACITY = 7\n"))
    assert lookup.get("EncoderV2", "capacity") == 3
    assert lookup.get("EncoderV2", "capacity", scope="variational") == 7
    assert lookup.get("EncoderV2", "capacity", scope="other/variational") == 3
    assert lookup.get("EncoderV2", "capacity", scope="variational/inner") == 7
    assert lookup.get("GeneratorV2", "latent_size") == 15
    assert lookup.get("GeneratorV2", "missing", "default") == "default"
    unread = {str(binding) for binding in lookup.unread()}
    assert "periods/nn.Conv2d.bias" in unread and "blocks.EncoderV2.capacity" not in unread


def test_a_later_binding_overrides() -> None:
    lookup = Lookup(parse_gin("a.B.c = 1\nb.B.c = 2\n"))
    assert lookup.get("B", "c") == 2


@pytest.mark.parametrize("name", ["v1", "v2", "v3", "discrete", "v2_wasserstein"])
def test_real_files(shared_dir: Path, name: str) -> None:
    file = read_gin_file(shared_dir / "rave_ref" / name / "run" / "config.gin")
    assert len(file.bindings) > 70 and "CAPACITY" in file.macros


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A = 1\nB = \n", "line 2"),
        ("A = 1\nB = foo\n", "line 2.*\n.*literal"),
        ("A = [1, 2\n", "line 1|line 2"),
        ("A = [1 2]\n", "a comma"),
        ("A = {1 2}\n", "a colon"),
        ("A = {[1]: 2}\n", "key"),
        ("A = {1: 2 3: 4}\n", "a comma or }"),
        ("A = 'open\n", "line"),
        ("A = b'bytes'\n", "no text"),
        ("A = f'{x}'\n", "line"),
        ("A = 3j\n", "real, finite"),
        ("A = 1e999\n", "real, finite"),
        ("A = " + "9" * 5000 + "\n", "too long"),
        ("A = " + "[" * 200 + "]" * 200 + "\n", "brackets|nested"),
        ("A = 1 + 1\n", "end of the line"),
        ("A = -'x'\n", "no value"),
        ("A = @f(1)\n", "no arguments"),
        ("A = @\n", "class or function"),
        ("A = %3\n", "macro"),
        ("A\n", "A = ..."),
        ("= 3\n", "name of a macro"),
        ("  A = 3\n", "indentation"),
        ("a.B:\nc = 1\n", "indented"),
        ("a.B:\n    c = 1\n  d = 2\n", "line"),
        ("scope/A = 1\n", "no scope"),
        ("include 'configs/nowhere.gin'\n", "not known"),
        ("include 3\n", "quotes"),
        ("A = \x00\n", "line"),
        ("A = $\n", "line"),
        ("\u00a7\n", "line"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(RAVEConfigError, match=said):
        parse_gin(text)


@pytest.mark.parametrize("text", ["A = %B\nm.C.d = %A", "A = %A\nm.C.d = %A", "A = %B\nB = %A\nm.C.d = %B"])
def test_macros_that_lead_nowhere(text: str) -> None:
    with pytest.raises(RAVEConfigError, match="this macro"):
        Lookup(parse_gin(text)).get("C", "d")


def test_nothing_is_imported_or_called(tmp_path: Path) -> None:
    evil = tmp_path / "evil.py"
    touched = tmp_path / "touched"
    evil.write_text(f"open({str(touched)!r}, 'w')\n")
    text = (
        f"import sys\nimport evil\nfrom os import system\nfrom {evil.stem} import *\n"
        "A.b = @os.system()\nC.d = @evil/exec()\nE = '__import__(\"os\")'\n"
    )
    file = parse_gin(text)
    assert len(file.imports) == 4
    assert Lookup(file).get("A", "b") == Reference("os.system", "", True)
    assert not touched.exists()


@pytest.mark.parametrize("value", ["__import__('os')", "print()", "lambda: 1", "f(1)", "[x for x in ()]"])
def test_expressions_are_no_values(value: str) -> None:
    with pytest.raises(RAVEConfigError, match="line 1"):
        parse_gin(f"A = {value}\n")


def test_includes(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "one.gin").write_text("import x\nA = 1\na.B.c = 1\na.B.d = 1\n")
    (tmp_path / "main.gin").write_text(
        'include "configs/v1.gin"\ninclude "parts/one.gin"\nA = 2\na.B.c = %A\ninclude "causal.gin"\n'
    )
    file = read_gin_file(tmp_path / "main.gin", ("v1", "causal"))
    assert file.bases == ("v1", "causal")
    lookup = Lookup(file)
    assert (lookup.get("B", "c"), lookup.get("B", "d")) == (2, 1)


def test_includes_stay_in_their_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.gin").write_text("A = 1\n")
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("../secret.gin", str(tmp_path / "secret.gin"), "secret.txt"):
        (folder / "main.gin").write_text(f'include "{name}"\n')
        with pytest.raises(RAVEConfigError, match="not known"):
            read_gin_file(folder / "main.gin")


def test_includes_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.gin").write_text('include "b.gin"\n')
    (tmp_path / "b.gin").write_text('include "a.gin"\n')
    with pytest.raises(RAVEConfigError, match="include each other"):
        read_gin_file(tmp_path / "a.gin")


def test_files_that_are_no_texts(tmp_path: Path) -> None:
    (tmp_path / "long.gin").write_text("#" * (5 << 20))
    (tmp_path / "binary.gin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RAVEConfigError, match="too long"):
        read_gin_file(tmp_path / "long.gin")
    for name in ("binary.gin", "missing.gin"):
        with pytest.raises(RAVEConfigError, match="cannot be read"):
            read_gin_file(tmp_path / name)
