"""Callbacks that go on from call to call: Python keeps what they remember, and no file does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.bends import AppliedBend
from torchbend.bending.callback import BendingCallback
from torchbend.bending.engine import Engine
from torchbend.bending.site_state import SiteState
from torchbend.errors import ExportError

__all__ = ["refuse_memory", "remembered"]

_Place = tuple[int, str, Any]
"""The bend, the site or callback that remembers, and under which name."""


def remembered(engine: Engine) -> dict[_Place, Tensor]:
    """The numbers and tensors that callbacks hold now, in the memory of their sites and in their buffers."""
    return {place: value.clone() for place, value, _, _ in _held(engine)}


def refuse_memory(engine: Engine, before: Mapping[_Place, Tensor]) -> None:
    """Say no to callbacks whose memory another call of the same inputs has changed.

    What is drawn or computed once, and stays, may be in a file. What counts, or listens to the call before,
    would stand still in it.

    Args:
        engine: of the bent model, after that call.
        before: what was `remembered` before it.

    Raises:
        ExportError: which callback, and where.
    """
    for place, value, bend, callback in _held(engine):
        if place in before and not _same(before[place], value):
            raise ExportError(
                f"{callback!r} remembers something from call to call, and would forget it in a file",
                site=", ".join(bend.keys),
                wanted="callbacks whose result depends on their input and their controls only",
                got=f"{place[2]!r}, which each call changes",
                next_step="reset() it before the export, and say jit_compatible = False in its class",
            )


def _held(engine: Engine) -> Iterator[tuple[_Place, Tensor, AppliedBend, BendingCallback]]:
    for number, bend in enumerate(engine.bends):
        for state in bend._states.values():
            for label, key, value in _in_memory(state, state.label):
                yield (number, label, key), value, bend, bend.callback
        for index, callback in enumerate(bend.callback.family()):
            for name, buffer in callback.named_buffers(recurse=False):
                yield (number, f"buffer of {index}", name), buffer.detach(), bend, callback


def _in_memory(state: SiteState, label: str) -> Iterator[tuple[str, Any, Tensor]]:
    for key, value in state.memory.items():
        if isinstance(value, Tensor):
            yield label, key, value.detach()
        elif isinstance(value, int | float | complex):
            yield label, key, torch.tensor(value)
    for key, child in state._children.items():
        yield from _in_memory(child, f"{label} / {key}")


def _same(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape:
        return False
    if a.numel() == 1:  # while a method is traced, whole numbers become tensors
        first, second = a.item(), b.item()
        return first == second or (first != first and second != second)
    if not a.is_floating_point():
        return a.dtype == b.dtype and torch.equal(a, b)
    return a.dtype == b.dtype and torch.allclose(a, b, rtol=0, atol=0, equal_nan=True)
