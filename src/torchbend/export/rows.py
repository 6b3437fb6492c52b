"""How many signals a file plays at once: what its state, or its code, allows."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch

from torchbend.capture.preserve import random_state_kept
from torchbend.export.play import Played
from torchbend.export.ready import IS_READY

__all__ = ["most_rows"]

TRIED = (16, 8, 4, 2)
"""Numbers of signals, from the largest on; any model plays one."""


def most_rows(module: torch.jit.ScriptModule, methods: Mapping[str, Played]) -> int:
    """The largest number of signals, among those that are tried, that all methods play side by side.

    Args:
        module: what is exported; it is left as it is.
        methods: its methods.
    """
    longest = max(max(m.about.in_ratio, m.about.out_ratio) for m in methods.values())
    trial = copy.deepcopy(module)
    with torch.no_grad(), random_state_kept():
        return next((rows for rows in TRIED if _plays(trial, methods, longest, rows)), 1)


def _plays(module: torch.jit.ScriptModule, methods: Mapping[str, Played], longest: int, rows: int) -> bool:
    """Whether as many signals come back as go in."""
    samples = max(longest, 64)
    device = getattr(module, IS_READY).device
    for name, method in methods.items():
        about = method.about
        try:
            silence = torch.zeros(rows, about.in_channels, samples // about.in_ratio, device=device)
            y = getattr(module, name)(silence)
        except RuntimeError:
            return False
        if y.shape != (rows, about.out_channels, samples // about.out_ratio):
            return False
    return True
