"""Capture a method: run it once and write down its graph."""

from __future__ import annotations

from collections.abc import Callable

import torch

import torchbend as tb
from benchmarks.harness import PLAIN, Bar, Row, Section, Settings, interleaved
from benchmarks.subjects import Subject, gpt2, thirty_blocks, two_layers, vocoder

__all__ = ["captures"]

_RATIO = 1.3
_PER_NODE = 50e-6


def captures(settings: Settings) -> Section:
    """`trace` of a whole forward."""
    tiny = settings.tiny
    subjects = (two_layers(), thirty_blocks(tiny), vocoder(tiny), gpt2(tiny))
    text = (
        "The bar grows with the graph: 1.3 plain forwards and 50 µs for each node. *per node* is what a "
        "capture takes beyond a plain forward, for each node."
    )
    return Section("Capture of a method", text, [_row(s, settings) for s in subjects if s is not None])


def _row(subject: Subject, settings: Settings) -> Row:
    bended = tb.BendedModule(subject.model)
    calls: dict[str, Callable[[], object]] = {
        PLAIN: subject.plain,
        "trace": lambda: bended.trace(**subject.inputs),
    }
    with torch.no_grad():
        timings = interleaved(calls, settings.rounds)
    nodes = len(bended.graph("forward").nodes)
    bar = Bar(f"1.3x + {nodes} x 50 µs", ratio=_RATIO, extra=nodes * _PER_NODE)
    per_node = 1e6 * timings.added("trace") / nodes
    return Row.of(f"{subject.name}, {nodes} nodes", timings, "trace", bar, note=f"{per_node:.0f} µs per node")
