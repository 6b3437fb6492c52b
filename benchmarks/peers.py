"""Other libraries beside this one, where they are installed; each in a process of its own.

torchlens and nnsight change how torch's functions or modules are called: in the same process, a plain call is
no longer plain once they have run. Here each of them is measured with its own plain call beside it.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import torchbend as tb
from benchmarks.harness import PLAIN, Settings, Timings, interleaved
from benchmarks.subjects import thirty_blocks, two_layers

__all__ = ["PEERS", "compared"]

PEERS = ("nnsight", "torchlens")
_ROOT = Path(__file__).parent.parent
_FACTOR = 1.1


def compared(settings: Settings) -> dict[str, dict[str, dict[str, float]]]:
    """For each peer that is installed, ratios to the plain call: by job, then by library."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for peer in PEERS:
        if importlib.util.find_spec(peer) is None:
            continue
        rounds = str(2 if settings.tiny else max(settings.rounds // 2, 20))
        command = [sys.executable, "-m", "benchmarks.peers", peer, rounds, str(int(settings.tiny))]
        answer = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
        found[peer] = json.loads(answer.stdout.splitlines()[-1])
    return found


def _ratios(timings: Timings, *names: str) -> dict[str, float]:
    return {name: timings.ratio(name) for name in names}


def _bent(subject: Any, pattern: str) -> tb.BendedModule:
    bended = tb.BendedModule(subject.model)
    bended.trace(**subject.inputs)
    bended.bend(tb.Scale(_FACTOR), pattern)
    return bended


def _nnsight(rounds: int, tiny: bool) -> dict[str, dict[str, float]]:
    from nnsight import NNsight

    layers, blocks = two_layers(), thirty_blocks(tiny)
    x, frames = layers.inputs["input"], blocks.inputs["input"]
    small, large = NNsight(two_layers().model), NNsight(thirty_blocks(tiny).model)  # it changes its model
    output, sine = _bent(layers, "_0$"), _bent(blocks, "sin_15$")

    def module_output() -> Any:
        with small.trace(x):
            small[0].output = small[0].output * 1.1
            out = small.output.save()
        return out

    def operation() -> Any:
        with large.trace(frames):
            large[15].source.torch_sin_0.output = large[15].source.torch_sin_0.output * 1.1
            out = large.output.save()
        return out

    def early() -> Any:
        with large.trace(frames) as tracer:
            out = large[7].output.save()
            tracer.stop()
        return out

    jobs: dict[str, dict[str, Callable[[], object]]] = {
        "two linear layers: one module output bent": {
            PLAIN: layers.plain, "torchbend": lambda: output(**layers.inputs), "nnsight": module_output
        },
        "30 blocks: one operation bent": {
            PLAIN: blocks.plain, "torchbend": lambda: sine(**blocks.inputs), "nnsight": operation
        },
        "30 blocks: an activation at 25 % depth": {
            PLAIN: blocks.plain,
            "torchbend": lambda: sine.get_activations("sin_7$", **blocks.inputs),
            "nnsight": early,
        },
    }  # fmt: skip
    return {job: _ratios(interleaved(calls, rounds), "torchbend", "nnsight") for job, calls in jobs.items()}


def _torchlens(rounds: int, tiny: bool) -> dict[str, dict[str, float]]:
    import torchlens

    found = {}
    for subject in (two_layers(), thirty_blocks(tiny)):
        bended = tb.BendedModule(subject.model)
        calls: dict[str, Callable[[], object]] = {
            PLAIN: subject.plain,
            "torchbend": lambda s=subject, b=bended: b.trace(**s.inputs),  # type: ignore[misc]
        }
        # ours first: torchlens wraps every function of torch, for good
        ours = interleaved(calls, rounds).ratio("torchbend")
        calls["torchlens"] = lambda s=subject: torchlens.trace(s.model, s.inputs["input"])  # type: ignore[misc]
        del calls["torchbend"]
        theirs = interleaved(calls, rounds).ratio("torchlens")
        found[f"{subject.name}: capture"] = {"torchbend": ours, "torchlens": theirs}
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    jobs_of = {"nnsight": _nnsight, "torchlens": _torchlens}[sys.argv[1]]
    with torch.no_grad():
        result = jobs_of(int(sys.argv[2]), bool(int(sys.argv[3])))
    print(json.dumps(result))
