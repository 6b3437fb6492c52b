"""Operations of torch that are written to ONNX in another way than torch's own exporter does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import FLOAT
from onnxscript import opset18 as op

__all__ = ["translations"]

_END = 2**63 - 1


def translations() -> dict[Any, Callable[..., Any]]:
    """What writes an operation, by the operation."""
    return {torch.ops.aten.slice_scatter.default: _slice_scatter}


def _slice_scatter(
    self: FLOAT, src: FLOAT, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> FLOAT:
    """A tensor with a part exchanged: parts put together, instead of a scatter between transpositions.

    Steps other than 1 do not come up: torch writes them as something else.
    """
    axis = op.Constant(value_ints=[dim])
    parts = []
    if not (start is None or (isinstance(start, int) and start == 0)):
        parts.append(op.Slice(self, op.Constant(value_ints=[0]), _vector(start), axis))
    parts.append(src)
    if not (end is None or (isinstance(end, int) and end >= _END)):
        parts.append(op.Slice(self, _vector(end), op.Constant(value_ints=[_END]), axis))
    return op.Concat(*parts, axis=dim) if len(parts) > 1 else op.Identity(src)


def _vector(number: Any) -> Any:
    if isinstance(number, int):
        return op.Constant(value_ints=[number])
    one: Any = op.Constant(value_ints=[1])
    return op.Reshape(number, one)
