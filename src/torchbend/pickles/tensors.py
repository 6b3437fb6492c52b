"""Tensors in pickles: their bytes are copied, nothing is run."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import WeightsFileError
from torchbend.pickles.reader import read_pickle
from torchbend.pickles.records import Named, Persistent, Record

__all__ = ["dtype_of", "is_tensor", "tensor_of"]

_MAGIC = 0x1950A86A20F9469CFC6C
"""What the files of torch before version 1.6, and storages inside of pickles until today, begin with."""

_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

_DIMENSIONS = 64
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
_TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")


def is_tensor(value: Any) -> bool:
    """Whether a value that `read_pickle` gave describes a tensor; a parameter is not looked into."""
    return isinstance(value, Record) and value.name in _TENSORS and len(value.args) >= 4


def dtype_of(kind: Any) -> torch.dtype:
    """The type of the numbers in a kind of storage.

    Args:
        kind: what the pickle names as its class.

    Raises:
        WeightsFileError: there is no such kind.
    """
    name = kind.short_name if isinstance(kind, Named) else ""
    if name not in _DTYPES:
        raise _wrong(f"numbers of the kind {name or 'unknown'}")
    return _DTYPES[name]


def tensor_of(value: Any, storage: Callable[[Any], Tensor] | None = None) -> Tensor | None:
    """The tensor that a record describes; None where it is none.

    Args:
        value: of what `read_pickle` gave.
        storage: makes a flat tensor, in memory of its own, of what the pickle has for a storage. By default
            its numbers are in the pickle itself.

    Returns:
        A tensor of its own, on the CPU.

    Raises:
        WeightsFileError: its parts do not fit together.
    """
    while isinstance(value, Record) and value.name in _PARAMETERS and value.args:
        value = value.args[0]
    if not is_tensor(value):
        return None
    stored, offset, size, stride = value.args[:4]
    whole = [offset, *_counts(size), *_counts(stride)]
    if any(type(n) is not int or not 0 <= n < 1 << 62 for n in whole):
        raise _wrong("sizes that are no whole numbers")
    if len(size) != len(stride) or len(size) > _DIMENSIONS:
        raise _wrong(f"{len(size)} dimensions with {len(stride)} strides")
    flat = (storage or _in_pickle)(stored)
    count = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if count and (last >= flat.numel() or count > flat.numel()):
        raise _wrong(f"a tensor of shape {list(size)[:8]} in {flat.numel()} numbers")
    try:
        part = flat.as_strided(size, stride, offset) if count else flat.new_empty(size)
    except (RuntimeError, ValueError, TypeError) as error:
        raise _wrong(f"a tensor of shape {list(size)[:8]}") from error
    return part if part.is_contiguous() and count == flat.numel() else part.clone()


def _counts(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise _wrong("sizes that are no numbers")
    return value


def _in_pickle(stored: Any) -> Tensor:
    """The numbers of a storage, as torch writes one into a pickle: five small pickles, then bytes."""
    if not isinstance(stored, Record) or stored.name != "torch.storage._load_from_bytes" or not stored.args:
        raise _wrong(f"its numbers are kept as {getattr(stored, 'name', type(stored).__name__)}")
    data = _bytes(stored.args[0])
    if data is None:
        raise _wrong("its numbers are no bytes")
    stream = io.BytesIO(data)
    magic = read_pickle(stream)
    if magic != _MAGIC:
        raise _wrong("its numbers begin with something else")
    _, system, stored_as, _ = (read_pickle(stream) for _ in range(4))
    mark = stored_as.mark if isinstance(stored_as, Persistent) else None
    dtype = dtype_of(mark[1] if isinstance(mark, tuple) and len(mark) > 1 and mark[0] == "storage" else None)
    little = system.get("little_endian", True) if isinstance(system, dict) else True
    head = stream.read(8)
    if len(head) < 8 or not little:
        raise _wrong("no numbers, or in an order that this computer does not know")
    (count,) = struct.unpack("<q", head)
    size, held = count * dtype.itemsize, len(data) - stream.tell()
    if not 0 <= size <= held:
        raise _wrong(f"{held} bytes of {size}")
    numbers = bytearray(stream.read(size))
    return torch.frombuffer(numbers, dtype=dtype) if numbers else torch.empty(0, dtype=dtype)


def _bytes(value: Any) -> bytes | None:
    """Bytes; old kinds of pickles write them as a text, to be encoded."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, Record) or value.name != "_codecs.encode" or len(value.args) != 2:
        return None
    text, encoding = value.args
    try:
        return text.encode("latin-1") if isinstance(text, str) and encoding == "latin1" else None
    except UnicodeEncodeError as error:
        raise _wrong("its numbers are no bytes") from error


def _wrong(got: str) -> WeightsFileError:
    return WeightsFileError(
        "a tensor in the pickle cannot be read", wanted="a tensor as torch pickles it", got=got
    )
