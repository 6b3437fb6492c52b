"""A compiled stream is the stream: the same blocks, the same past."""

from __future__ import annotations

import gc
from unittest import mock

import pytest
import torch
from torch import Tensor

from torchbend import rave
from torchbend.errors import ShapeError, StreamError

BLOCK = 2048


def streaming(name: str, batch: int = 1) -> tuple[rave.RAVE, rave.StreamState]:
    torch.manual_seed(0)
    model = rave.RAVE(rave.preset(name, capacity=4)).eval()
    return model, model.stream(batch)


@pytest.mark.parametrize("name", ["v1", "v2", "v3", "discrete"])
def test_blocks_are_those_of_the_model(name: str) -> None:
    model, state = streaming(name, batch=2)
    first, *others = (0.1 * torch.randn(2, 1, 4 * BLOCK)).chunk(4, -1)
    with (
        torch.no_grad(),
        mock.patch.object(torch, "randn_like", torch.zeros_like),
        mock.patch.object(torch, "randn", torch.zeros),
    ):
        wanted = [model(block) for block in (first, *others)]
        state.reset()
        model(first)  # the compiled stream goes on from here
        step = rave.compiled(model, "forward", BLOCK)
        got = [step(block) for block in others]
        assert all(torch.equal(a, b) for a, b in zip(got, wanted[1:], strict=True))
        state.reset()
        assert torch.equal(step(first), wanted[0])
        assert torch.equal(model(others[0]), wanted[1])


@pytest.mark.parametrize("method", ["encode", "decode"])
def test_one_half(method: rave.model.Method) -> None:
    model, state = streaming("v2")
    x = torch.randn(1, 128, 1) if method == "decode" else torch.randn(1, 1, BLOCK)
    step = rave.compiled(model, method)
    got = step(x)
    state.reset()
    assert torch.equal(got, getattr(model, method)(x)) and not got.requires_grad


def test_what_cannot_be_compiled_is_told() -> None:
    model, _ = streaming("v2")
    with pytest.raises(ShapeError, match="whole frames"):
        rave.compiled(model, block=1000)
    step = rave.compiled(model)
    with pytest.raises(ShapeError, match="another block"):
        step(torch.zeros(1, 1, 2 * BLOCK))
    model.offline()
    with pytest.raises(StreamError, match="streaming"):
        rave.compiled(model)


def test_a_stream_holds_no_more_after_many_blocks() -> None:
    model, state = streaming("v2")
    block = 0.1 * torch.randn(1, 1, BLOCK)

    def tensors() -> int:
        gc.collect()
        return sum(each.numel() for each in gc.get_objects() if isinstance(each, Tensor))

    model(block)
    before, size = tensors(), state.bytes
    for _ in range(20):
        model(block)
    assert tensors() == before and state.bytes == size
