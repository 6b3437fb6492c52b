"""A comparison says whether, where and by how much."""

import math
from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal

from torchbend.display import compare_outs, compare_state_dict_tensors


@dataclass
class Out:
    z: torch.Tensor
    name: str = "a"


Pair = namedtuple("Pair", "x y")


class Plain:
    def __init__(self, value):
        self.value = value
        self.itself = self


SAME = [
    lambda: torch.arange(3),
    lambda: {"a": [torch.ones(2), (1, "x", None)]},
    lambda: Out(torch.ones(2)),
    lambda: Pair(torch.ones(1), 2.0),
    lambda: Normal(torch.zeros(2), torch.ones(2)),
    lambda: torch.tensor([math.nan, 1.0]),
    lambda: math.nan,
    lambda: np.arange(4.0),
    lambda: np.array(["a", "b"]),
    lambda: Plain(torch.ones(2)),
    lambda: torch.empty(3, device="meta"),
    lambda: {1, 2},
    lambda: torch.ones(2) + 1j,
    lambda: torch.empty(0),
]


@pytest.mark.parametrize("make", SAME)
def test_equal_things_are_equal(make):
    result = compare_outs(make(), make())
    assert result
    assert str(result) == "equal"


DIFFERENT = [
    (torch.zeros(2), torch.zeros(3), "the result: shape [2] against [3]"),
    (torch.zeros(2), torch.zeros(2).double(), "the result: type torch.float32 against torch.float64"),
    (torch.zeros(2), torch.tensor([0, 2.0]), "1 of 2 elements differ, by at most 2 (at [1])"),
    (torch.zeros(2), torch.tensor([0, math.nan]), "0.0 against nan (at [1])"),
    ({"a": 1}, {"b": 1}, "['a']: only in the first\n['b']: only in the second"),
    ([1, 2], [1], "length 2 against 1"),
    ([1, [2, 3]], [1, [2, 4]], "[1][1]: 3 against 4"),
    (Out(torch.ones(1)), Out(torch.ones(1), "b"), ".name: 'a' against 'b'"),
    (Pair(1, 2), Pair(1, 3), "[1]: 2 against 3"),
    (Normal(0.0, 1.0), Normal(0.5, 1.0), ".loc"),
    (1, 1.0, "int against float"),
    (True, 1, "bool against int"),
    ({1}, {1, 2}, "1 elements are in one set only"),
    (Plain(1), Plain(2), ".value: 1 against 2"),
    (np.zeros(2), np.ones(2), "2 of 2 elements differ, by at most 1"),
    (torch.zeros(2, dtype=torch.bool), torch.ones(2, dtype=torch.bool), "2 of 2 elements"),
]


@pytest.mark.parametrize(("a", "b", "words"), DIFFERENT)
def test_a_difference_is_told(a, b, words):
    result = compare_outs(a, b)
    assert not result
    assert words in str(result)


def test_subclasses_and_nearly_equal_values_pass_only_when_allowed():
    a, b = OrderedDict(z=torch.ones(3)), {"z": nn.Parameter(torch.ones(3) + 1e-6)}
    assert not compare_outs(a, b)
    assert not compare_outs(a, b, allow_subclasses=True)
    assert not compare_outs(a, b, allow_almost_equal=True)
    assert compare_outs(a, b, allow_subclasses=True, allow_almost_equal=True)
    assert compare_outs(1.0, 1.0 + 1e-7, allow_almost_equal=True)
    assert not compare_outs(1.0, 1.1, allow_almost_equal=True)


def test_the_largest_difference_is_a_number():
    result = compare_outs([torch.zeros(2, 2)], [torch.tensor([[0.0, 0.25], [-3.0, 0.0]])])
    assert result.differences[0].max_abs == 3
    assert result.differences[0].path == "[0]"
    assert "at [1, 0]" in str(result)


def test_many_differences_are_counted():
    assert str(compare_outs(list(range(30)), list(range(1, 31)))).endswith("... and 10 more")


def test_state_dicts_compare_by_name():
    model = nn.Linear(2, 2)
    other = {name: tensor.clone() for name, tensor in reversed(model.state_dict().items())}
    assert compare_state_dict_tensors(model.state_dict(), other)
    assert compare_state_dict_tensors(dict(model.named_parameters()), other)
    other["bias"][0] += 1
    assert "['bias']: 1 of 2" in str(compare_state_dict_tensors(model.state_dict(), other))
    del other["bias"]
    assert not compare_state_dict_tensors(model.state_dict(), other)
