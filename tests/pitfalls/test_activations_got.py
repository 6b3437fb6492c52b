"""Activations come back in the order asked; the program stops at the last one; tuples have parts."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from torchbend.errors import SiteNotFoundError

from .models import joseph, seconds, seeded_linear

ORDERS = [("sum_1", "sin", "mul$"), ("mul_3", "t$", "sin"), ("sin", "mul.*"), ("amps", "sin", "f0")]


@pytest.mark.parametrize("patterns", ORDERS)
def test_activations_come_in_the_order_asked(patterns: tuple[str, ...]) -> None:
    t = seconds()
    bended = tb.BendedModule(joseph())
    bended.trace(t=t)
    found = list(bended.get_activations(*patterns, t=t))
    wanted = {
        ORDERS[0]: ["sum_1", "sin", "mul"],
        ORDERS[1]: ["mul_3", "t", "sin"],
        ORDERS[2]: ["sin", "mul", "mul_1", "mul_2", "mul_3"],
        ORDERS[3]: ["amps", "sin", "f0"],
    }[patterns]
    assert found == wanted


def test_the_hash_seed_makes_no_difference(tmp_path: Path, repository: Path) -> None:
    program = (
        "import torch, torchbend as tb\n"
        "from tests.pitfalls.models import joseph, seconds\n"
        "b = tb.BendedModule(joseph()); t = seconds(); b.trace(t=t)\n"
        "for p in (['sum_1', 'mul$', 'sin'], ['mul.*', 't$'], ['sin', 'f.*']):\n"
        "    print(list(b.get_activations(*p, t=t)))\n"
    )
    outputs = set()
    for seed in ("0", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(repository)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        outputs.add(done.stdout)
    assert outputs == {
        "['sum_1', 'mul', 'sin']\n['mul', 'mul_1', 'mul_2', 'mul_3', 't']\n['sin', 'f0', 'f_mult']\n"
    }


class _Counting(nn.Module):
    """Four layers that count their calls. Shape: x [B, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(4))
        self.reached: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        for number, layer in enumerate(self.layers):
            self.reached.append(number)
            x = torch.relu(layer(x))
        return x


def test_the_program_stops_as_soon_as_the_last_one_exists() -> None:
    model = _Counting()
    x = torch.ones(1, 4)
    bended = tb.BendedModule(model)
    bended.trace(x)
    assert model.reached == []  # a trace leaves attributes as they were
    found = bended.get_activations("layers_1$", "layers_0$", x=x)
    assert model.reached == [0, 1]
    assert torch.equal(found["layers_0"], model.layers[0](x))
    bended.get_activations("relu_2$", x=x)
    assert model.reached == [0, 1, 0, 1, 2]


def test_a_pattern_without_a_match_is_refused() -> None:
    bended = tb.BendedModule(joseph())
    bended.trace(t=seconds())
    with pytest.raises(SiteNotFoundError, match="sin"):
        bended.get_activations("sine$", t=seconds())


class _Memory(nn.Module):
    """An LSTM, its state used apart. Shape: x [B, T, 4] -> [B, T, 8], [1, B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lstm = nn.LSTM(4, 8, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, (hidden, cell) = self.lstm(x)
        return y * 2, hidden - cell


def test_the_parts_of_an_lstm_are_sites() -> None:
    model = _Memory()
    x = torch.randn(2, 5, 4)
    y, (hidden, cell) = model.lstm(x)
    bended = tb.BendedModule(model)
    bended.trace(x)
    assert bended.activation_shape("lstm[0]") == (2, 5, 8)
    assert bended.activation_shape("lstm[1][0]") == (1, 2, 8)
    assert "lstm[0]" in bended.print_activations(out=os.devnull)
    found = bended.get_activations(r"lstm\[0\]", r"lstm\[1\]\[1\]", x=x)
    assert torch.equal(found["lstm[0]"], y) and torch.equal(found["lstm[1][1]"], cell)
    bended.bend(tb.Scale(3.0), r"lstm\[0\]")
    bended.bend(tb.Bias(1.0), r"lstm\[1\]\[1\]")
    out = bended(x)
    assert torch.equal(out[0], y * 3 * 2) and torch.equal(out[1], hidden - (cell + 1))


def test_a_bent_module_can_be_copied_and_pickled() -> None:
    model = seeded_linear(4, 4)
    x = torch.ones(1, 4)
    bended = tb.BendedModule(model)
    bended.trace(x)
    bended.bend(tb.Scale(tb.BendingParameter("gain", 2.0)), "0.weight")
    bended.bend(tb.Normal(0.5, seed=3), "_0$")
    out = bended(x)
    for twin in (copy.deepcopy(bended), pickle.loads(pickle.dumps(bended))):
        assert torch.equal(twin(x), out)
        assert twin.bended_keys() == bended.bended_keys()
        assert twin.activation_names() == bended.activation_names()
        twin.update("gain", 5.0)
        assert not torch.equal(twin(x), out)
        assert torch.equal(bended(x), out)
        twin.reset()
        assert torch.equal(twin(x), model(x))
        assert twin.module is not model and twin.module[0].weight is not model[0].weight
