"""Tensors in pickles: their bytes are copied, nothing is run."""

from __future__ import annotations

import io
import math
import struct
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import WeightsFileError
from torchbend.interfaces.gan.pickle_records import Named, Persistent, Record, read_pickle

__all__ = ["tensor_of"]

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

_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
_TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")


def tensor_of(value: Any) -> Tensor | None:
    """The tensor that a record describes; None where it is none.

    Args:
        value: of what `read_pickle` gave.

    Returns:
        A tensor of its own, on the CPU.

    Raises:
        WeightsFileError: its parts do not fit together.
    """
    if not isinstance(value, Record):
        return None
    if value.name in _PARAMETERS and value.args:
        return tensor_of(value.args[0])
    if value.name not in _TENSORS or len(value.args) < 4:
        return None
    stored, offset, size, stride = value.args[:4]
    flat = _storage(stored)
    whole = [offset, *_ints(size), *_ints(stride)]
    if any(not isinstance(n, int) or n < 0 for n in whole) or len(size) != len(stride):
        raise _wrong("sizes that are no whole numbers")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 in size:
        return flat.new_empty(size)
    if last >= flat.numel() or math.prod(size) > flat.numel():
        raise _wrong(f"a tensor of {math.prod(size)} numbers in {flat.numel()}")
    return flat.as_strided(size, stride, offset).clone()


def _ints(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise _wrong("sizes that are no numbers")
    return value


def _storage(stored: Any) -> Tensor:
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
    dtype = _dtype(stored_as)
    little = system.get("little_endian", True) if isinstance(system, dict) else True
    head = stream.read(8)
    if len(head) < 8 or not little:
        raise _wrong("no numbers, or in an order that this computer does not know")
    (count,) = struct.unpack("<q", head)
    size = count * torch.empty((), dtype=dtype).element_size()
    rest = bytearray(stream.read(max(size, 0)))
    if count < 0 or len(rest) != size:
        raise _wrong(f"{len(rest)} bytes of {size}")
    return torch.frombuffer(rest, dtype=dtype) if rest else torch.empty(0, dtype=dtype)


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


def _dtype(stored_as: Any) -> torch.dtype:
    mark = stored_as.mark if isinstance(stored_as, Persistent) else None
    kind = mark[1] if isinstance(mark, tuple) and len(mark) > 1 and mark[0] == "storage" else None
    name = kind.name.rsplit(".", 1)[-1] if isinstance(kind, Named) else ""
    if name not in _DTYPES:
        raise _wrong(f"numbers of the kind {name or 'unknown'}")
    return _DTYPES[name]


def _wrong(got: str) -> WeightsFileError:
    return WeightsFileError(
        "a tensor in the pickle cannot be read", wanted="a tensor as torch pickles it", got=got
    )
