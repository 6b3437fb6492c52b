"""Tensors in pickles are read, and reach nowhere else."""

from __future__ import annotations

import io
import pickle
import struct

import pytest
import torch

from torchbend.errors import WeightsFileError
from torchbend.pickles import Record, read_pickle, tensor_of


def test_tensors_of_all_kinds_are_read() -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    views = [whole, whole.T, whole[1:, ::2], whole[0, 0], torch.empty(0, 3), torch.nn.Parameter(whole)]
    kinds = [whole.to(kind) for kind in (torch.half, torch.double, torch.bfloat16, torch.long, torch.bool)]
    for tensor in views + kinds:
        for protocol in (2, 5):
            got = tensor_of(read_pickle(io.BytesIO(pickle.dumps(tensor, protocol))))
            assert got is not None and got.dtype == tensor.dtype and torch.equal(got, tensor)


def test_a_tensor_cannot_reach_beyond_its_numbers() -> None:
    good = read_pickle(io.BytesIO(pickle.dumps(torch.arange(4.0), 4)))
    stored = good.args[0]
    for offset, size, stride in (
        (1, (4,), (1,)),
        (0, (2, 3), (3, 1)),
        (0, (10**9,), (0,)),
        (-1, (1,), (1,)),
        (0, (2,), (9,)),
    ):
        with pytest.raises(WeightsFileError, match="tensor"):
            tensor_of(Record(good.name, (stored, offset, size, stride)))
    data = stored.args[0]
    for bad in (data[:-1], data[:20], data[: -4 * 4 - 8] + struct.pack("<q", 2**60) + data[-16:]):
        with pytest.raises(WeightsFileError):
            tensor_of(Record(good.name, (Record(stored.name, (bad,)), 0, (4,), (1,))))


def test_sizes_without_end_are_told() -> None:
    good = read_pickle(io.BytesIO(pickle.dumps(torch.arange(4.0), 4)))
    stored = good.args[0]
    for size, stride in (
        ((2**2000,), (1,)),
        ((0, 2**61, 2**61), (1, 1, 1)),
        ((1,) * 2000, (0,) * 2000),
        ((2**61,) * 400, (1,) * 400),
        ((True,), (1,)),
        ((2.0,), (1,)),
        ([4], [1]),
    ):
        with pytest.raises(WeightsFileError, match="tensor"):
            tensor_of(Record(good.name, (stored, 0, size, stride)))
    for count in (2**62, 2**63 - 1, -1):
        data = stored.args[0][: -4 * 4 - 8] + struct.pack("<q", count) + bytes(16)
        with pytest.raises(WeightsFileError):
            tensor_of(Record(good.name, (Record(stored.name, (data,)), 0, (4,), (1,))))


def test_parameters_of_parameters_come_to_an_end() -> None:
    value = read_pickle(io.BytesIO(pickle.dumps(torch.nn.Parameter(torch.arange(4.0)), 4)))
    assert value.name == "torch._utils._rebuild_parameter"
    for _ in range(100_000):
        value = Record(value.name, (value,))
    got = tensor_of(value)
    assert got is not None and got.equal(torch.arange(4.0))


def test_numbers_may_lie_elsewhere() -> None:
    numbers = torch.arange(6.0)
    record = Record("torch._utils._rebuild_tensor_v2", ("there", 1, (2, 2), (1, 3)))
    got = tensor_of(record, lambda stored: numbers if stored == "there" else torch.empty(0))
    assert got is not None and got.tolist() == [[1.0, 4.0], [2.0, 5.0]]
    assert got.untyped_storage().nbytes() == 16
