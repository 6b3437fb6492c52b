"""The tensors that a file keeps from block to block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from torchbend.export.check.program import Program

__all__ = ["elements", "moved", "snapshot", "state_names"]


def state_names(program: Program, module: Any) -> list[str]:
    """The names of all tensors that can change: buffers, and attributes that hold tensors."""
    names = {name for name, _ in module.named_buffers()}
    return sorted(names | set(program.state_names()))


def snapshot(module: Any, names: list[str], copy: bool = True) -> dict[str, list[Tensor]]:
    """The tensors at these names now; several where a name stands for a list."""
    return {name: [t.detach().clone() if copy else t for t in _tensors(_at(module, name))] for name in names}


def elements(module: Any, names: list[str]) -> int:
    """How many numbers are kept."""
    return sum(t.numel() for tensors in snapshot(module, names, copy=False).values() for t in tensors)


def moved(before: dict[str, list[Tensor]], after: dict[str, list[Tensor]]) -> list[str]:
    """The names whose tensors are others now."""

    def same(a: list[Tensor], b: list[Tensor]) -> bool:
        return len(a) == len(b) and all(
            x.shape == y.shape and torch.equal(x, y) for x, y in zip(a, b, strict=True)
        )

    return [name for name in before if not same(before[name], after[name])]


def _at(module: Any, name: str) -> Any:
    value = module
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
