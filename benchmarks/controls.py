"""Play with controls: a small model called block after block while its controls move."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch

import torchbend as tb
from benchmarks.harness import PLAIN, Row, Section, Settings, interleaved
from benchmarks.subjects import thirty_blocks

__all__ = ["streaming"]


def streaming(settings: Settings) -> Section:
    """Thirty weights and as many controls: all at rest, and one that moves before each call."""
    subject = thirty_blocks(settings.tiny)
    inputs = {"input": subject.inputs["input"][:1]}
    bended = tb.BendedModule(subject.model)
    for number in range(30):
        control = tb.BendingParameter(f"scale_{number}", 1.0, range=[0.0, 2.0])
        bended.bend(tb.Scale(control), f"{number}[.]up[.]weight$")
    values = itertools.cycle((0.5, 1.5))
    moving = tb.BendedModule(subject.model)
    for number in range(30):
        control = tb.BendingParameter(f"scale_{number}", 1.0, range=[0.0, 2.0])
        moving.bend(tb.Scale(control), f"{number}[.]up[.]weight$")

    def moved() -> object:
        moving.update("scale_15", next(values))
        return moving(**inputs)

    model = subject.model
    calls: dict[str, Callable[[], object]] = {
        PLAIN: lambda: model(**inputs),
        "at rest": lambda: bended(**inputs),
        "one moves": moved,
    }
    with torch.no_grad():
        timings = interleaved(calls, settings.rounds * 5)
    text = (
        "The 30 blocks on a single frame, with a control on a weight of each block. A control that moves "
        "recomputes the one weight that depends on it (256 by 256). For information."
    )
    rows = []
    for name, what in (
        ("at rest", "30 controls at rest"),
        ("one moves", "one of 30 controls moved in each call"),
    ):
        alone = type(timings)(
            {n: v for n, v in timings.seconds.items() if n.startswith("plain") or n == name}
        )
        rows.append(Row.of(what, alone, name))
    return Section("Playing: controls on weights", text, rows)
