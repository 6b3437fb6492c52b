"""Calls an entry of the zoo so that two calls can be compared, and compares what they return."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .definition import Entry


def call(entry: Entry, model: nn.Module, inputs: dict[str, Any] | None = None) -> Any:
    """Runs the entry's method without gradients, from the same random state and the same buffers each time.

    Args:
        entry: the entry; its notes say whether random state and buffers matter.
        model: the built model, or anything with the same methods.
        inputs: keyword arguments; None takes `entry.inputs()`.
    """
    if entry.random:
        torch.manual_seed(0)
    before = {name: value.clone() for name, value in model.named_buffers()} if entry.stateful else {}
    with torch.no_grad():
        output = getattr(model, entry.method)(**(entry.inputs() if inputs is None else inputs))
        if entry.stateful:
            output = copy.deepcopy(output)  # an output may be a view of a buffer that is put back below
        for name, value in model.named_buffers():
            if name in before:
                value.copy_(before[name])
    return output


def flatten_tensors(output: Any) -> list[Tensor]:
    """All tensors in an output, however nested, in a deterministic order and each object once.

    Goes into mappings (in their order), sequences, dataclasses, distributions and plain objects such as the
    caches of language models (their attributes in the order in which they were set). Sets, functions, modules
    and types are not gone into.
    """
    found: list[Tensor] = []
    _collect(output, found, {})
    return found


def _collect(value: Any, found: list[Tensor], seen: dict[int, Any]) -> None:
    if (
        value is None
        or isinstance(value, (str, bytes, int, float, complex, type, nn.Module))
        or callable(value)
    ):
        return
    if id(value) in seen:
        return
    seen[id(value)] = value  # kept, so that its id is not given to another object meanwhile
    if isinstance(value, Tensor):
        found.append(value)
    else:
        for part in _parts(value):
            _collect(part, found, seen)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, torch.distributions.Distribution):
        # a distribution keeps lazily computed attributes beside its parameters: only the latter count
        inside = [part for part in vars(value).values() if isinstance(part, torch.distributions.Distribution)]
        return [vars(value)[name] for name in sorted(value.arg_constraints) if name in vars(value)] + inside
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, Sequence):
        return list(value)
    if is_dataclass(value):
        return [getattr(value, field.name) for field in fields(value)]
    return list(getattr(value, "__dict__", {}).values())


def same(first: Any, second: Any) -> bool:
    """Whether two outputs hold equal tensors, bit for bit (nan equals nan)."""
    left, right = flatten_tensors(first), flatten_tensors(second)
    return len(left) == len(right) and all(map(_equal, left, right))


def _equal(first: Tensor, second: Tensor) -> bool:
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    return bool(torch.equal(torch.nan_to_num(first), torch.nan_to_num(second)))
