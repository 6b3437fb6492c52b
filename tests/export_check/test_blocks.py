"""What comes back from a block: each way in which it can be wrong is told, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.export_check.modules import FACTS, Echo
from torch import Tensor, nn

from torchbend.export.check.blocks import Method, block, non_contiguous


class Stateless(Echo):
    """A gain and nothing else."""

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * x


class Pair(Stateless):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Double(Stateless):
    def forward(self, x: Tensor) -> Tensor:
        return x.double()


class Short(Stateless):
    def forward(self, x: Tensor) -> Tensor:
        return x[..., ::2]


class View(Stateless):
    def forward(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0] // 2, -1).reshape(x.shape) if x.shape[0] > 1 else x * 1


class NotANumber(Stateless):
    def forward(self, x: Tensor) -> Tensor:
        return torch.log(x)


class Refuses(Stateless):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] > 64:
            raise ValueError("too long for me")
        return x


class OneRow(Stateless):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] > 1:
            raise ValueError("one row only")
        return x


class OneSize(Stateless):
    """Its cache has the size of the first block."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("last", torch.zeros(0))

    def forward(self, x: Tensor) -> Tensor:
        if self.last.numel() == 0:
            self.last = torch.zeros_like(x)
        y = x + 0.0 * self.last
        self.last = x.clone()
        return y


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Pair, "a tuple"),
        (Double, "float64"),
        (Short, "another number of samples"),
        (View, "use reshape instead of view"),
        (NotANumber, "NaN or infinity"),
        (Refuses, "too long for me"),
        (OneRow, "one row only"),
        (OneSize, "after other blocks"),
    ],
)
def test_a_wrong_output_is_told(checked: Callable[..., Any], module: type[nn.Module], said: str) -> None:
    outcome = checked(module())
    told = [f for f in outcome.findings if f.part == "blocks"]
    assert told and said in told[0].text(), outcome.failures
    assert all(f.where == "forward()" for f in told)


def test_the_blocks_at_which_it_fails_are_told(checked: Callable[..., Any]) -> None:
    (told,) = [f for f in checked(Refuses()).findings if f.part == "blocks"]
    assert "sizes 256, with 1, 4 row(s)" in told.got


def test_a_stated_maximum_of_rows_is_kept_to(checked: Callable[..., Any]) -> None:
    assert not checked(OneRow(), {**FACTS, "max_batch": 1}).failures
    assert checked(OneRow()).failures


class Latents(Stateless):
    """An encoder and a decoder of frames of 512 samples."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("encode_params", torch.tensor([1, 1, 8, 512]))
        self.register_buffer("decode_params", torch.tensor([8, 512, 2, 1]))

    @torch.jit.export
    def get_methods(self) -> list[str]:
        return ["encode", "decode", "forward"]

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], -1, 512)[..., :8].transpose(1, 2)

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return z.mean(1, keepdim=True).repeat_interleave(512, -1).expand(-1, 2, -1)


def test_ratios_and_channels_are_those_of_the_file(checked: Callable[..., Any]) -> None:
    outcome = checked(Latents(), blocks=())
    assert not outcome.failures
    assert {t["block"] for t in outcome.results["timing"]} == {512, 1024, 2048, 4096, 8192}
    assert {t["method"] for t in outcome.results["timing"]} == {"encode", "decode", "forward"}


def test_smaller_blocks_than_the_ratio_are_left_out(checked: Callable[..., Any]) -> None:
    timed = checked(Latents(), blocks=(64, 1024)).results["timing"]
    assert {t["block"] for t in timed} == {1024}


@pytest.mark.parametrize("shape", [(1, 1, 64), (1, 3, 64), (4, 1, 64), (2, 2, 5)])
def test_blocks_are_never_contiguous(shape: tuple[int, int, int]) -> None:
    x = torch.randn(shape)
    y = non_contiguous(x)
    assert torch.equal(x, y) and not y.is_contiguous()


def test_of_each_group_one_sample_arrives() -> None:
    method = Method("decode", 8, 512, 2, 1)
    assert block(method, 2048, 3).shape == (3, 8, 4)
    assert method.elements(2048, 3) == 3 * 2 * 2048
