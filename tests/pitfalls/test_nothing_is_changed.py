"""The wrapped module, its weights, its captured values and the random state stay as they are."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from torchbend.errors import VersionError

from .models import joseph, seconds, seeded_linear, wave_of


def _snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def _unchanged(module: nn.Module, before: dict[str, Tensor]) -> bool:
    now = module.state_dict()
    return list(now) == list(before) and all(torch.equal(now[n], before[n]) for n in before)


def _times_two(x: Tensor) -> Tensor:
    return x.mul_(2)


def _first_to_zero(x: Tensor) -> Tensor:
    x[..., 0, :] = 0
    return x


@pytest.mark.parametrize("function", [_times_two, _first_to_zero])
def test_a_callback_may_write_in_place_into_a_weight(function: object) -> None:
    model = joseph()
    before, t = _snapshot(model), seconds()
    plain = model(t)
    bended = tb.BendedModule(model)
    bended.bend(tb.Lambda(function), "amps", "f_mult")
    assert not torch.equal(bended(t), plain)
    assert not torch.equal(bended(t), plain)
    assert _unchanged(model, before)
    bended.reset()
    assert torch.equal(bended(t), plain)


def test_a_callback_may_write_in_place_into_an_activation() -> None:
    t = seconds()
    bended = tb.BendedModule(joseph())
    bended.trace(t=t)
    plain = bended.get_activations("sin$", "mul_2$", t=t)
    handle = bended.bend(tb.Lambda(_times_two), "sin$")
    found = bended.get_activations("sin$", "mul_2$", t=t, _values="both")
    assert torch.equal(found["sin"][0], plain["sin"])
    assert torch.equal(found["sin"][1], plain["sin"] * 2)
    assert torch.equal(found["mul_2"][1], plain["mul_2"])
    for _ in range(2):
        assert torch.allclose(bended(t), wave_of(t, gain=2.0), atol=1e-6)
    handle.remove()
    assert torch.equal(bended.get_activations("sin$", t=t)["sin"], plain["sin"])


def test_a_recorded_activation_is_not_written_by_a_later_callback() -> None:
    t = seconds()
    bended = tb.BendedModule(joseph())
    bended.trace(t=t)
    sin = bended.get_activations("sin$", t=t)["sin"]
    recorder = tb.Capture()
    bended.bend(recorder, "sin$")
    bended.bend(tb.Lambda(_times_two), "sin$")
    with bended.capture(recorder):
        bended(t)
    assert torch.equal(recorder.get_capture("sin"), sin)


def test_a_given_activation_is_not_written() -> None:
    t = seconds()
    bended = tb.BendedModule(joseph())
    bended.trace(t=t)
    sin = bended.get_activations("sin$", t=t)["sin"]
    kept = sin.clone()
    bended.bend(tb.Lambda(_times_two), "sin$")
    bended.from_activations("sin", t=t, sin=sin)
    assert torch.equal(sin, kept)


def test_an_input_is_not_written() -> None:
    t = seconds()
    kept = t.clone()
    bended = tb.BendedModule(joseph())
    bended.trace(t=t)
    bended.bend(tb.Lambda(_times_two), "t$")
    assert torch.allclose(bended(t), wave_of(2 * t), atol=1e-5)
    assert torch.equal(t, kept)


def test_write_makes_a_version_and_leaves_the_module_alone() -> None:
    model = seeded_linear(4, 4)
    before = _snapshot(model)
    bended = tb.BendedModule(model)
    bended.bend(tb.Scale(2.0), "0.weight")
    with pytest.raises(VersionError, match="not written over"):
        bended.write()
    bended.write("loud")
    assert _unchanged(model, before)
    assert torch.equal(bended.state_dict(version="loud")["0.weight"], before["0.weight"] * 2)
    bended.bend(tb.Scale(3.0), "0.bias")
    bended.write(into_module=True)
    assert torch.equal(model[0].bias, before["0.bias"] * 3)


def test_to_converts_a_copy_unless_asked() -> None:
    model = seeded_linear(4, 4)
    before, x = _snapshot(model), torch.ones(1, 4)
    bended = tb.BendedModule(model)
    bended.bend(tb.Scale(2.0), "0.weight")
    assert bended.to(torch.float64) is bended
    assert _unchanged(model, before) and model[0].weight.dtype == torch.float32
    wanted = nn.functional.linear(x.double(), 2 * model[0].weight.double(), model[0].bias.double())
    assert torch.equal(bended(x.double()), wanted)
    other = tb.BendedModule(model)
    other.to(torch.float64, in_place=True)
    assert model[0].weight.dtype == torch.float64 and other.module is model


def test_gradients_reach_the_original_parameters_through_the_bend() -> None:
    model = seeded_linear(3, 2)
    x = torch.tensor([[1.0, -2.0, 0.5]])
    bended = tb.BendedModule(model)
    bended.trace(x)
    bended.bend(tb.Scale(3.0), "0.weight")
    bended.bend(tb.Scale(2.0), "_0$")
    bended(x).sum().backward()
    # out = 2 (3 W x + b): d/dW = 6 x, d/db = 2
    assert torch.allclose(model[0].weight.grad, 6 * x.expand(2, 3))
    assert torch.equal(model[0].bias.grad, torch.full((2,), 2.0))
    optimizer = torch.optim.SGD(bended.parameters(), lr=0.1)
    weight = model[0].weight.detach().clone()
    optimizer.step()
    assert torch.allclose(model[0].weight, weight - 0.6 * x.expand(2, 3))


class _Draws(nn.Module):
    """Normalises and draws from all three generators. Shape: x [B, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        noise = torch.randn(4) + float(np.random.rand()) + random.random()
        return self.drop(self.norm(x)) + noise


def test_a_trace_in_train_mode_changes_nothing() -> None:
    model = _Draws().train()
    before, x = _snapshot(model), torch.randn(8, 4)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    tb.BendedModule(model).trace(x)
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert torch.equal(torch.get_rng_state(), states[2])
    assert _unchanged(model, before)
    assert model.norm.num_batches_tracked.item() == 0
    assert all(part.training for part in model.modules())
    model(x)
    assert model.norm.num_batches_tracked.item() == 1  # the model itself still does what it did
