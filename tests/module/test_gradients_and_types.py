"""Gradients, training, precision: a bent model is a module like another."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torchbend as tb

X = torch.linspace(-1, 1, 12).reshape(3, 4)


def _net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))


def _reference(net: nn.Sequential, x: Tensor, gain: float | Tensor) -> Tensor:
    """``net`` with its first weight times ``gain`` and its tanh times ``gain`` plus 1."""
    hidden = torch.tanh(F.linear(x, net[0].weight * gain, net[0].bias)) * gain + 1
    return F.linear(hidden, net[2].weight, net[2].bias)


def _bent(net: nn.Sequential, gain: Any) -> tb.BendedModule:
    bended = tb.BendedModule(net)
    bended.trace(X)
    bended.bend(tb.Scale(gain), "0.weight")
    bended.bend(tb.Affine(1.0, gain), "_1$")
    return bended


@pytest.mark.parametrize("controlled", [False, True])
def test_gradients_are_those_of_the_bent_function(controlled: bool) -> None:
    net, other = _net(), _net()
    gain = tb.BendingParameter("gain", 3.0) if controlled else 3.0
    bended = _bent(net, gain)
    for value in (3.0, 0.5) if controlled else (3.0,):
        if controlled:
            bended.update("gain", value)
        x, y = X.clone().requires_grad_(), X.clone().requires_grad_()
        bended(x).square().sum().backward()
        _reference(other, y, value).square().sum().backward()
        assert torch.allclose(x.grad, y.grad)
        for own, wanted in zip(net.parameters(), other.parameters(), strict=True):
            assert torch.allclose(own.grad, wanted.grad)
            own.grad = wanted.grad = None


def test_a_backward_pass_can_follow_several_calls() -> None:
    net, other = _net(), _net()
    bended = _bent(net, 2.0)
    losses = [bended(X * k).square().mean() for k in (1, 2, 3)]
    for loss in losses:
        loss.backward()
    sum(_reference(other, X * k, 2.0).square().mean() for k in (1, 2, 3)).backward()
    assert torch.allclose(net[0].weight.grad, other[0].weight.grad)


def test_training_through_the_bends_changes_the_module_s_own_weights() -> None:
    net, other = _net(), _net()
    bended = _bent(net, 2.0)
    ours = torch.optim.SGD(bended.parameters(), lr=0.05)
    theirs = torch.optim.SGD(other.parameters(), lr=0.05)
    for _ in range(5):
        ours.zero_grad(), theirs.zero_grad()
        bended(X).square().mean().backward()
        _reference(other, X, 2.0).square().mean().backward()
        ours.step(), theirs.step()
    for own, wanted in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.allclose(own, wanted, atol=1e-6)
    with torch.no_grad():
        assert torch.allclose(bended(X), _reference(net, X, 2.0))


def test_gradients_reach_tied_and_computed_weights() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(torch.nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)))
    bended = tb.BendedModule(net)
    bended.bend(tb.Scale(3.0), "0.weight$")
    bended(X).sum().backward()
    magnitude = net[0].parametrizations.weight.original0
    ours = magnitude.grad.clone()
    net.zero_grad()
    F.linear(X, net[0].weight * 3, net[0].bias).sum().backward()
    assert torch.allclose(ours, magnitude.grad)


def test_gradients_flow_from_a_given_activation() -> None:
    net = _net()
    bended = _bent(net, 2.0)
    hidden = torch.ones(3, 5, requires_grad=True)
    bended.from_activations("_1", _1=hidden).sum().backward()
    assert torch.allclose(hidden.grad, 2 * net[2].weight.sum(0).expand(3, 5))


def test_train_and_eval_follow_the_module() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    bended = tb.BendedModule(net)
    bended.bend(tb.Scale(2.0), "0.weight")
    bended.eval()
    assert not net.training and not net[2].training
    wanted = net[1](F.linear(X, 2 * net[0].weight, net[0].bias))
    assert torch.allclose(bended(X), wanted)
    bended.train()
    assert net.training and bended.training
    before = net[1].num_batches_tracked.item()
    bended(X)
    assert net[1].num_batches_tracked.item() == before + 1  # the model's own side effects happen
    mean = F.linear(X, 2 * net[0].weight, net[0].bias).mean(0)
    assert torch.allclose(net[1].running_mean, 0.1 * mean, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    net = _net().to(dtype)
    bended = tb.BendedModule(net)
    x = X.to(dtype)
    bended.trace(x)
    bended.bend(tb.Scale(2.0), "0.weight")
    bended.bend(tb.Normal(0.1, seed=0), "2.weight")
    bended.bend(tb.Mask(0.5, seed=0), "_1$")
    with torch.no_grad():
        weights = bended.bended_weights()
        assert all(t.dtype == dtype for t in weights.values())
        out = bended(x)
        hidden = F.linear(x, weights["0.weight"], net[0].bias).tanh()
        kept = bended.get_activations("_1$", input=x)["_1"]
        assert out.dtype == dtype and kept.dtype == dtype
        assert torch.equal(kept, torch.where(kept != 0, hidden, 0))
        assert torch.equal(out, F.linear(kept, weights["2.weight"], net[2].bias))


def test_autocast() -> None:
    net = _net().requires_grad_(False)
    bended = _bent(net, 2.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = bended(X)
        hidden = F.linear(X, net[0].weight * 2, net[0].bias).tanh() * 2.0 + 1.0
        wanted = F.linear(hidden, net[2].weight, net[2].bias)
    assert out.dtype == torch.bfloat16 and torch.equal(out, wanted)
    assert torch.allclose(bended(X), _reference(net, X, 2.0))  # and without it, in full precision


def test_complex_weights_and_activations() -> None:
    class Turns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor([1 + 1j, 2.0]))

        def forward(self, x: Tensor) -> Tensor:
            return torch.view_as_real(x * self.w)

    model = Turns()
    x = torch.ones(2, dtype=torch.complex64)
    bended = tb.BendedModule(model)
    bended.trace(x)
    bended.bend(tb.Scale(1j), "w")
    bended.bend(tb.Scale(2.0), "mul$")
    assert torch.equal(bended(x), torch.view_as_real(x * model.w * 1j * 2))


def test_inputs_of_callbacks_are_given_to_the_call() -> None:
    net = _net().requires_grad_(False)
    bended = tb.BendedModule(net)
    bended.trace(X)
    bended.bend(tb.InterpolateActivation(), "_1$")
    weights = torch.tensor([[0.5, 0.5, 0.0], [2.0, -1.0, 0.0]])
    hidden = net[1](net[0](X))
    assert torch.allclose(bended(X, interp_weights=weights), net[2](weights @ hidden), atol=1e-6)
    soft = bended(X, interp_weights=weights, softmax=True)
    assert torch.allclose(soft, net[2](weights.softmax(-1) @ hidden), atol=1e-6)
    again = bended.from_activations("_1", _1=hidden, interp_weights=weights)
    assert torch.allclose(again, net[2](weights @ hidden), atol=1e-6)
    with pytest.raises(tb.errors.CallbackError, match="interp_weights"):
        bended(X)


class _Mixes(tb.BendingCallback):
    """Takes an input of its own at call time."""

    def bend(self, x: Tensor, *, amount: float = 1.0) -> Tensor:
        return x * amount


def test_an_optional_input_of_a_callback_of_one_s_own() -> None:
    net = _net().requires_grad_(False)
    bended = tb.BendedModule(net)
    bended.trace(X)
    bended.bend(_Mixes(), "_2$")
    assert torch.equal(bended(X), net(X))
    assert torch.equal(bended(X, amount=3.0), net(X) * 3.0)
    assert torch.equal(bended.get_activations("_2$", input=X, amount=2.0)["_2"], net(X) * 2.0)
