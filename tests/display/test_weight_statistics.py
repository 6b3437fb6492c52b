"""The weight table is right for every kind of tensor, and never warns."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from torchbend.display import weight_statistics, weights_table
from torchbend.display import weights as module_under_test

JOSEPH = """\
name    shape                  dtype            min    max    mean     stddev
------  ---------------------  -------------  -----  -----  ------  ---------
f0      torch.Size([1, 1, 1])  torch.int64      110    110   110    nan
f_mult  torch.Size([4, 1])     torch.int64        1      4     2.5    1.29099
amps    torch.Size([1, 4, 1])  torch.float32      1      1     1      0"""


def test_the_additive_synthesiser_prints_as_in_the_documents():
    items = {
        "f0": torch.full((1, 1, 1), 110),
        "f_mult": torch.arange(1, 5).unsqueeze(-1),
        "amps": torch.ones(1, 4, 1),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert weights_table(items.items()).text() == JOSEPH


def close(found, x):
    x = x.double()
    assert found.min == x.min().item()
    assert found.max == x.max().item()
    assert found.mean == pytest.approx(x.mean().item(), rel=1e-6, abs=1e-7)
    assert found.stddev == pytest.approx(x.std().item(), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    "dtype",
    [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8, torch.uint8, torch.int64],
)
def test_every_real_type_gives_its_own_statistics(dtype):
    x = (torch.randn(37, 5, generator=torch.Generator().manual_seed(1)) * 20).abs().to(dtype)
    close(weight_statistics(x), x)


def test_truth_values_count_as_zero_and_one():
    found = weight_statistics(torch.tensor([True, False, False, False]))
    assert (found.min, found.max, found.mean, found.stddev) == (0, 1, 0.25, 0.5)


def test_complex_numbers_are_described_by_their_modulus():
    found = weight_statistics(torch.tensor([3 + 4j, 0j]))
    assert (found.min, found.max, found.mean) == (0, 5, 2.5)


def test_float8_quantized_sparse_and_nan():
    assert weight_statistics(torch.tensor([1.0, 2.0]).to(torch.float8_e4m3fn)).mean == 1.5
    assert weight_statistics(torch.tensor([[0.0, 4.0]]).to_sparse()).mean == 2
    found = weight_statistics(torch.tensor([1.0, math.nan]))
    assert math.isnan(found.min)
    assert math.isnan(found.stddev)


@pytest.mark.parametrize("x", [torch.empty(0, 3), torch.empty(5, device="meta"), torch.empty(2, 0).int()])
def test_nothing_to_measure_gives_nan(x):
    assert all(math.isnan(value) for value in vars(weight_statistics(x)).values())


def test_lazy_weights_are_listed():
    row = weights_table(nn.LazyLinear(3).named_parameters()).rows[0]
    assert row[1] == "uninitialized"


def test_one_element_has_no_deviation_and_a_constant_has_zero():
    assert math.isnan(weight_statistics(torch.tensor(3.0)).stddev)
    found = weight_statistics(torch.full((100_003,), 0.1))
    assert found.stddev == 0
    assert found.mean == torch.tensor(0.1).item()


def test_chunks_combine_to_the_statistics_of_the_whole():
    x = torch.randn(300_001, generator=torch.Generator().manual_seed(2)) * 3 + 1000
    close(weight_statistics(x), x)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.T,
        lambda x: x[::2, ::3],
        lambda x: x[:, :1].expand(-1, 500),
        lambda x: x.reshape(30, 20, 500).permute(2, 0, 1),
    ],
)
def test_views_are_measured_as_what_they_show(view):
    x = view(torch.randn(600, 500, generator=torch.Generator().manual_seed(3)))
    close(weight_statistics(x), x)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=80), st.integers(1, 7))
def test_any_chunk_size_gives_the_same(values, size):
    x = torch.tensor(values, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module_under_test, "_CPU_CHUNK", size)
        close(weight_statistics(x), x)


def test_no_copy_of_a_large_tensor_is_made_and_gradients_stay():
    x = torch.nn.Parameter(torch.zeros(10, 10))
    weight_statistics(x)
    assert x.grad is None
    assert x.requires_grad
    chunks = list(module_under_test._chunks(torch.zeros(400_000, dtype=torch.bfloat16)))
    assert max(chunk.numel() for chunk in chunks) <= module_under_test._CPU_CHUNK
    assert len({chunk.untyped_storage().data_ptr() for chunk in chunks}) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same():
    x = torch.randn(1000, 1000)
    close(weight_statistics(x.cuda()), x)
