"""Each entry of the zoo builds and runs, the same way twice: what differs later is the project's doing."""

from __future__ import annotations

import importlib.util
from collections import Counter
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from .compare import call, flatten_tensors, same
from .entry import ZOO, Entry


def test_zoo_is_large_and_its_names_are_unique() -> None:
    repeated = [name for name, count in Counter(entry.name for entry in ZOO).items() if count > 1]
    assert repeated == []
    assert len(ZOO) >= 64


@pytest.mark.parametrize("entry", ZOO, ids=lambda entry: entry.name)
def test_entry_runs_the_same_way_twice(entry: Entry) -> None:
    model = entry.build()
    first, second = call(entry, model), call(entry, model)
    tensors = flatten_tensors(first)
    assert tensors, "the output holds no tensor"
    assert same(first, second)
    assert same(first, call(entry, entry.build())), "two builds differ"
    floating = [tensor for tensor in tensors if tensor.is_floating_point()]
    assert any(bool(tensor.isfinite().all()) and float(tensor.abs().sum()) > 0 for tensor in floating)
    if entry.other_inputs is not None:
        others = flatten_tensors(call(entry, model, entry.other_inputs()))
        assert [other.shape for other in others] != [tensor.shape for tensor in tensors]
        assert same(first, call(entry, model)), "the other inputs left something behind"


def test_flatten_tensors_goes_into_any_nesting() -> None:
    @dataclass
    class Pair:
        left: Tensor
        right: list[Tensor]

    class Cache:
        def __init__(self) -> None:
            self.keys = torch.full((1,), 4.0)
            self.size = 3

    shared = torch.zeros(1)
    normal = torch.distributions.Normal(torch.full((1,), 6.0), torch.full((1,), 7.0))
    output = {
        "a": shared,
        "b": (Pair(torch.ones(1), [torch.full((1,), 2.0), shared]), Cache()),
        "c": [None, "x", torch.distributions.Independent(normal, 1)],
    }
    assert [float(tensor) for tensor in flatten_tensors(output)] == [0.0, 1.0, 2.0, 4.0, 6.0, 7.0]


@pytest.mark.parametrize("library", ["transformers", "diffusers"])
def test_library_of_the_zoo_is_installed(library: str) -> None:
    assert importlib.util.find_spec(library) is not None
