"""Generated patches are opened by a real Pure Data, where one is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Export
from .models import bent_additive

MOST = 64
"""Inlets and outlets of what stands for nn~ in these tests."""

pytestmark = pytest.mark.skipif(shutil.which("pd") is None, reason="needs Pure Data")


def stand_in(folder: Path, inlets: int = MOST) -> None:
    """An abstraction in the place of nn~: so many signals in and out."""
    lines = ["#N canvas 0 0 450 300 12;"]
    lines += [f"#X obj {20 + 30 * k} 20 inlet~;" for k in range(inlets)]
    lines += [f"#X obj {20 + 30 * k} 200 outlet~;" for k in range(MOST)]
    lines += [f"#X connect {k} 0 {inlets + k} 0;" for k in range(inlets)]
    (folder / "nn~.pd").write_text("\n".join([*lines, ""]))


def complaints(patch: Path) -> list[str]:
    """What Pure Data says when it opens a patch and computes sound."""
    words = [
        "pd",
        "-nogui",
        "-batch",
        "-noprefs",
        "-nosound",
        "-path",
        str(patch.parent),
        "-open",
        str(patch),
    ]
    words += ["-send", "pd dsp 1", "-send", "pd quit"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).splitlines()
    return [line for line in said if line.strip() and "watchdog" not in line]


@pytest.mark.parametrize("name", ["v3", "two_signals"])
def test_pure_data_opens_the_patch_of_a_rave_model(
    exported: Callable[..., Export], name: str, tmp_path: Path
) -> None:
    patch = tmp_path / "birds.pd"
    shutil.copy(exported(name).path.with_suffix(".pd"), patch)
    stand_in(tmp_path)
    assert complaints(patch) == []
    stand_in(tmp_path, inlets=1)
    clipped = complaints(patch)
    assert clipped and all("connection failed" in line for line in clipped), "it would have been told"
    (tmp_path / "nn~.pd").unlink()
    lacking = complaints(patch)
    assert lacking and all("nn~" in line or "couldn't create" in line for line in lacking)


def test_pure_data_opens_the_patch_of_any_model(tmp_path: Path) -> None:
    path = bent_additive().export(tmp_path / "additive.ts", seed=1)
    stand_in(tmp_path)
    assert complaints(path.with_suffix(".pd")) == []
