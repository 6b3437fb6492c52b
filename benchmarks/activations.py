"""Read an activation that exists after a quarter of the way."""

from __future__ import annotations

from collections.abc import Callable

import torch

import torchbend as tb
from benchmarks.harness import PLAIN, Bar, Row, Section, Settings, interleaved
from benchmarks.subjects import Subject, gpt2, thirty_blocks

__all__ = ["early_activations"]

_EARLY = Bar("<= 0.35x", ratio=0.35)


def early_activations(settings: Settings) -> Section:
    """`get_activations` of a site at 25 % depth."""
    rows = [_row(s, settings) for s in (thirty_blocks(settings.tiny), gpt2(settings.tiny)) if s is not None]
    text = "The model's own code runs, and is stopped as soon as the last activation asked for exists."
    return Section("`get_activations` of a site at 25 % depth", text, rows)


def _row(subject: Subject, settings: Settings) -> Row:
    bended = tb.BendedModule(subject.model)
    bended.trace(**subject.inputs)
    calls: dict[str, Callable[[], object]] = {
        PLAIN: subject.plain,
        "early": lambda: bended.get_activations(subject.early, **subject.inputs),
    }
    with torch.no_grad():
        timings = interleaved(calls, settings.rounds)
    return Row.of(f"{subject.name}: `{subject.early.rstrip('$')}`", timings, "early", _EARLY)
