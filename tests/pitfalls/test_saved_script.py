"""A saved script with a control is loaded in a fresh process, where the control is still live."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import torch
from torch import nn

import torchbend as tb

PROGRAM = """
import sys, torch
assert "torchbend" not in sys.modules
model = torch.jit.load(sys.argv[1])
x = torch.load(sys.argv[2], weights_only=True)
out = {"first": model(x), "value": torch.tensor(float(model.get_gain()))}
model.set_gain(0.5)
out["second"] = model(x)
out["longer"] = model(torch.cat([x, x, x]))
torch.save(out, sys.argv[3])
assert "torchbend" not in sys.modules
"""


def test_a_saved_script_with_a_control_is_loaded_and_live_in_a_fresh_process(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)).requires_grad_(False).eval()
    x = torch.randn(2, 4)
    bended = tb.BendedModule(net)
    bended.trace(x)
    gain = tb.BendingParameter("gain", 2.0, range=[0.0, 4.0])
    bended.bend(tb.Scale(gain), "0.weight")
    bended.bend(tb.Affine(1 - gain, 2.0), "_1$")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(bended.script(), str(tmp_path / "bent.ts"))
    torch.save(x, tmp_path / "x.pt")
    paths = [str(tmp_path / name) for name in ("bent.ts", "x.pt", "out.pt")]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    out = torch.load(tmp_path / "out.pt", weights_only=True)
    assert out["value"].item() == 2.0
    assert torch.allclose(out["first"], bended(x), atol=1e-6)
    bended.update("gain", 0.5)
    assert torch.allclose(out["second"], bended(x), atol=1e-6)
    assert torch.allclose(out["longer"], bended(torch.cat([x, x, x])), atol=1e-6)
    assert not torch.allclose(out["first"], out["second"])
