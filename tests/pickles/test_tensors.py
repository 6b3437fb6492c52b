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
