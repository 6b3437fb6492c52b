"""Memory that a bent weight of a large model takes, measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

import torchbend as tb
from benchmarks.harness import Settings

__all__ = ["MemoryRow", "memory", "resident"]

_ROOT = Path(__file__).parent.parent
_MEBI = 2**20


@dataclass(frozen=True)
class MemoryRow:
    """Bytes, of one measurement.

    Attributes:
        parameters: of the model, a count.
        weight: size of the bent weight.
        plain_peak: the highest that a plain forward took on top of the model.
        bent_peak: the highest that bending, and the first bent forward, took on top of the model.
        kept: what is still held on top of the model after further calls.
        after_reset: what is still held after ``reset()``.
    """

    parameters: int
    weight: int
    plain_peak: int
    bent_peak: int
    kept: int
    after_reset: int

    @property
    def met(self) -> bool:
        """Whether it costs that weight, once; 10 % are left to the interpreter and the allocator."""
        return self.bent_peak <= 1.1 * self.weight + self.plain_peak


def memory(settings: Settings) -> MemoryRow | None:
    """Measure in a fresh process; ``None`` where the system does not tell a process's peak."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    width, layers = (1024, 4) if settings.tiny else (8192, 15)
    command = [sys.executable, "-m", "benchmarks.memory", str(width), str(layers)]
    answer = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    return MemoryRow(**json.loads(answer.stdout.splitlines()[-1]))


def _measure(width: int, layers: int) -> MemoryRow:
    """A stack of linear layers in bfloat16: 15 of 8192 by 8192 have a billion weights."""
    torch.set_num_threads(1)
    parts = [nn.Linear(width, width, bias=False, dtype=torch.bfloat16, device="meta") for _ in range(layers)]
    model = nn.Sequential(*parts).to_empty(device="cpu").eval()
    x = torch.ones(1, width, dtype=torch.bfloat16)
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(1 / width)
        model(x)
        bended = tb.BendedModule(model)
        before = _restart()
        model(x)
        plain = _peak() - before
        before = _restart()
        bended.bend(tb.Scale(1.1), "7[.]weight" if layers > 7 else "0[.]weight")
        bended(x)
        bent = _peak() - before
        for _ in range(3):
            bended(x)
        kept = resident() - before
        bended.reset()
        bended(x)
        left = resident() - before
    first = parts[0].weight
    size = first.numel() * first.element_size()
    return MemoryRow(sum(p.numel() for p in model.parameters()), size, plain, bent, kept, left)


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def resident() -> int:
    """Bytes that this process holds in memory now; the system has to be Linux."""
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _restart() -> int:
    """Let the peak begin anew; gives what is resident now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return resident()


if __name__ == "__main__":
    print(json.dumps(vars(_measure(int(sys.argv[1]), int(sys.argv[2])))))
