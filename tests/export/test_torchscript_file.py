"""A saved export needs nothing of this package: its control is live in a process that cannot import it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

import torchbend as tb

READER = """
import importlib.util, sys
sys.path.insert(0, sys.argv[1])
import torch
assert importlib.util.find_spec("torchbend") is None
model = torch.jit.load(sys.argv[2])
x = torch.load(sys.argv[3])
found = []
for value in (2.0, -0.5, 3.0):
    model.set_gain(value)
    found.append(model(x))
torch.save((model.get_gain(), found), sys.argv[4])
"""


def test_a_saved_export_is_live_without_the_package(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    bended = tb.BendedModule(net)
    bended.trace(torch.randn(1, 4))
    gain = tb.BendingParameter("gain", 1.0, range=(-4, 4))
    bended.bend(tb.Scale(gain) >> tb.Bias(1 - gain), "0.weight")
    bended.bend(tb.Scale(gain), "_1")
    x = torch.randn(7, 4)
    torch.jit.save(bended.script(), str(tmp_path / "net.ts"))
    torch.save(x, tmp_path / "x.pt")
    libraries = str(Path(torch.__file__).parents[1])
    files = [str(tmp_path / name) for name in ("net.ts", "x.pt", "out.pt")]
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", READER, libraries, *files]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert answer.returncode == 0, answer.stderr
    last, found = torch.load(tmp_path / "out.pt")
    assert last == 3.0
    for value, out in zip((2.0, -0.5, 3.0), found, strict=True):
        bended.update("gain", value)
        with torch.no_grad():
            assert torch.allclose(out, bended(x), rtol=0, atol=1e-6)
    assert (tmp_path / "net.ts").stat().st_size < 40_000
