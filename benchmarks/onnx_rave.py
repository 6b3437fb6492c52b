"""Stream full-size RAVE models (random weights) on one thread: ONNX Runtime, TorchScript and eager.

Run it with ``python -m benchmarks.onnx_rave``; ``--rounds`` and names of presets may follow.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.harness import interleaved
from torchbend.export.onnx import export_onnx
from torchbend.export.onnx_stream import OnnxStream
from torchbend.interfaces.rave import BendedRAVE
from torchbend.rave import RAVE, preset

__all__ = ["measured"]

BLOCK = 2048
PRESETS = ("v2", "raspberry")


def measured(name: str, rounds: int, folder: Path) -> Mapping[str, list[float]]:
    """Seconds of each block of ``forward``, by what ran it.

    Args:
        name: of a preset.
        rounds: how often each is called.
        folder: for the exported file.
    """
    torch.manual_seed(0)
    model = RAVE(preset(name)).eval().requires_grad_(False)
    model.encoder.samples = False
    bended = BendedRAVE(model)
    bended.stream(1)
    engine = bended._engine
    begin, busy = time.perf_counter(), time.process_time()
    file = export_onnx(engine, folder / f"{name}.onnx", "forward")[0]
    exported, worked = time.perf_counter() - begin, time.process_time() - busy
    scripted = bended.script()
    begin = time.perf_counter()
    stream = OnnxStream(file)
    opened = time.perf_counter() - begin
    x = 0.1 * torch.randn(1, model.channels, BLOCK)
    array = x.numpy()
    eager: Callable[[], Tensor] = lambda: bended.module(x)  # noqa: E731
    calls: dict[str, Callable[[], object]] = {
        "eager": eager,
        "TorchScript": lambda: scripted(x),
        "ONNX Runtime": lambda: stream(array),
    }
    with torch.no_grad():
        found = interleaved(calls, rounds, warm_up=10).seconds
    size = file.stat().st_size / 2**20
    spent = f"{exported:.1f} s ({worked:.1f} s of work)"
    print(f"{name}: exported in {spent}, {size:.1f} MiB, opened in {opened:.2f} s")
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*", default=PRESETS)
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name in given.presets:
            seconds = measured(name, given.rounds, Path(folder))
            script = statistics.median(seconds["TorchScript"])
            for what, times in seconds.items():
                times = sorted(times)
                median = statistics.median(times)
                low, worst = times[len(times) // 10], times[-1]
                print(
                    f"  {what:14s} median {1e3 * median:7.2f} ms  tenth {1e3 * low:7.2f}"
                    f"  best {1e3 * times[0]:7.2f}  worst {1e3 * worst:7.2f}"
                    f"  {script / median:5.2f}x TorchScript"
                )


if __name__ == "__main__":
    main()
