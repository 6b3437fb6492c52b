"""Methods and attributes are read as nn~ reads them; what it could not read is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.export_check.modules import Echo
from torch import nn


def changed(**buffers: Any) -> nn.Module:
    """The echo with other buffers and labels; None takes one away."""
    module = Echo()
    for name, value in buffers.items():
        if value is None:
            delattr(module, name)
        elif isinstance(value, torch.Tensor):
            module.register_buffer(name, value)
        else:
            setattr(module, name, value)
    return module


class TwoNames(Echo):
    @torch.jit.export
    def get_methods(self) -> list[str]:
        return ["forward", "decode"]


class NoList(Echo):
    @torch.jit.export
    def get_methods(self) -> str:
        return "forward"


class Unfinished(Echo):
    @torch.jit.export
    def get_attributes(self) -> list[str]:
        return ["gain", "drive"]


@pytest.mark.parametrize(
    ("module", "part", "where", "said"),
    [
        (TwoNames(), "methods", "decode()", "not compiled"),
        (changed(forward_params=torch.tensor([1, 3, 1, 1])), "methods", "forward_params", "no power of two"),
        (changed(forward_params=torch.tensor([1, 1, 1])), "methods", "forward_params", "malformed"),
        (changed(forward_params=torch.tensor([0, 1, 1, 1])), "methods", "forward_params", "begin at 1"),
        (changed(forward_params=None), "methods", "forward_params", "missing"),
        (changed(forward_input_labels=["a", "b"]), "methods", "forward_input_labels", "labels do not fit"),
        (Unfinished(), "attributes", "drive", "no get_drive and no set_drive"),
        (changed(gain_params=torch.tensor([7])), "attributes", "gain_params", "unknown code"),
        (changed(gain_params=torch.tensor(2)), "attributes", "gain_params", "malformed"),
        (changed(gain_params=None), "attributes", "gain_params", "missing"),
        (NoList(), "loading", "get_methods()", "List[str]"),
    ],
)
def test_what_the_host_cannot_read_is_told(
    checked: Callable[..., Any], module: nn.Module, part: str, where: str, said: str
) -> None:
    told = [f for f in checked(module, blocks=(64,)).findings if f.level == "failure"]
    assert told and (told[0].part, told[0].where) == (part, where), [f.text() for f in told]
    assert said in told[0].text()


def test_without_a_list_every_method_with_numbers_counts(checked: Callable[..., Any]) -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("forward_params", torch.tensor([1, 1, 1, 1]))
            self.register_buffer("louder_params", torch.tensor([1, 1, 1, 1]))
            self.register_buffer("gain_params", torch.tensor([2]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 1

        @torch.jit.export
        def louder(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    outcome = checked(Plain(), blocks=(64,))
    assert not outcome.failures
    assert [m["name"] for m in outcome.results["methods"][0]] == ["forward", "louder"]


def test_a_file_that_is_not_for_this_host_is_told(checked: Callable[..., Any]) -> None:
    assert "no method that nn~ can play" in checked(nn.Linear(2, 2)).only("methods", "").message


def test_gradients_are_told(checked: Callable[..., Any]) -> None:
    class Keeps(Echo):
        keeps_gradients = True

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.weight * x

    checked(Keeps(), blocks=(64,)).only("gradients", "requires_grad_(False)")
