"""The rebuilt design of the first RAVE, which ours is timed beside, gives the same output."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import pytest
import torch
from benchmarks.original_rave import OriginalDesign
from torch import Tensor

from torchbend import rave

NAMES = ("v1", "v2", "v3", "raspberry")


def small(name: str) -> rave.RAVE:
    torch.manual_seed(0)
    return rave.RAVE(rave.preset(name, capacity=6)).eval()


def blocks(call: Callable[[Tensor], Tensor], x: Tensor, size: int) -> Tensor:
    return torch.cat([call(block) for block in x.split(size, -1)], -1)


def assert_close(given: Tensor, wanted: Tensor) -> None:
    assert given.shape == wanted.shape
    assert (given - wanted).abs().max() <= 1e-5 * wanted.std()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("weight_norm", [False, True])
def test_whole_signals(name: str, weight_norm: bool) -> None:
    model = small(name)
    first = OriginalDesign(model, weight_norm).eval()
    x, z = 0.1 * torch.randn(1, 1, 3 * 2048), torch.randn(1, 128, 3)
    with torch.no_grad(), mock.patch.object(torch, "randn_like", torch.zeros_like):
        assert_close(first.encode(x), model.encode(x))
        assert_close(first.decode(z), model.decode(z))
        assert_close(first(x), model(x))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:.*jit.*:DeprecationWarning")
def test_streams_scripted(name: str) -> None:
    model = small(name)
    model.stream(as_original=True)
    first = torch.jit.script(OriginalDesign(model).eval())
    x, z = 0.1 * torch.randn(1, 1, 3 * 2048), torch.randn(1, 128, 3)
    with torch.no_grad():
        assert_close(blocks(first.encode, x, 2048), blocks(model.encode, x, 2048))
        assert_close(blocks(first.decode, z, 1), blocks(model.decode, z, 1))
