"""Images from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from torchbend.cli.main import app

_RENDER = ["render", "diffusion:tiny", "a cat", "a dog", "--seed", "2", "--option", "steps=2"]


@pytest.mark.shows("BendedDiffusion", "render from the command line", model="Stable Diffusion")
def test_a_grid_is_written_plain_and_bent(tmp_path: Path) -> None:
    pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    seen = {}
    for name, bends in {
        "plain": [],
        "again": [],
        "bent": ["--bend", "Scale(0.0)@unet.mid_block.resnets.0.conv1.weight"],
    }.items():
        out = tmp_path / f"{name}.png"
        result = CliRunner().invoke(app, [*_RENDER, *bends, "--out", str(out)])
        assert result.exit_code == 0, result.output
        seen[name] = np.asarray(pil.open(out)).astype(int)
    assert seen["plain"].ndim == 3 and seen["plain"].std() > 1
    assert np.array_equal(seen["plain"], seen["again"])
    assert not np.array_equal(seen["plain"], seen["bent"])
