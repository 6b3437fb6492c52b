"""A bend of an activation reaches every kind of consumer, at every place where an activation can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torchbend as tb

X = torch.linspace(-1, 1, 12).reshape(2, 6)


class _Holds(nn.Module):
    """Takes an activation ``y`` in one way. Shape: x [2, 6].

    Args:
        take: what is done with ``y`` and the module.
        bend: applied to ``y`` first: with it the module is the reference for a bend of ``y``.
    """

    def __init__(self, take: Callable[..., Any], bend: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(6, 6)
        self.layers = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.register_buffer("table", torch.zeros(2, 6))
        self.take, self.bend = take, bend

    def forward(self, x: Tensor) -> Any:
        y = torch.sin(x)
        return self.take(y if self.bend is None else self.bend(y), self)


def _written_into(y: Tensor, m: Any) -> Tensor:
    out = torch.zeros(2, 6)
    out[:, 1:] = y[:, 1:]
    return out


def _in_place_after(y: Tensor, m: Any) -> Tensor:
    y += 1
    y.mul_(2)
    return y


def _view_and_base(y: Tensor, m: Any) -> Tensor:
    part = y[:, :3]
    return torch.cat([part * 2, y], dim=-1)


def _kept_in_a_list(y: Tensor, m: Any) -> Tensor:
    kept = [y]
    return torch.stack([k * 2 for k in kept]).sum(0)


def _closure(y: Tensor, m: Any) -> Tensor:
    def inner(z: Tensor) -> Tensor:
        return z * y

    return inner(torch.ones(2, 6))


def _branch(y: Tensor, m: Any) -> Tensor:
    return y * 10 if y.max() > 1 else y


def _loop(y: Tensor, m: Any) -> Tensor:
    total = torch.zeros(6)
    for row in y:
        total = total + row
    return total


CONSUMERS: dict[str, Callable[..., Any]] = {
    "operator, left": lambda y, m: y + 1,
    "operator, right": lambda y, m: 1 - y,
    "both operands": lambda y, m: y * y,
    "positional": lambda y, m: torch.add(torch.ones(2, 6), y),
    "keyword": lambda y, m: torch.add(input=torch.ones(2, 6), other=y),
    "method": lambda y, m: y.sum(-1),
    "a tensor's method's argument": lambda y, m: torch.ones(2, 6).mul(y),
    "list": lambda y, m: torch.cat([y, y * 2], dim=-1),
    "tuple": lambda y, m: torch.stack((y, torch.ones(2, 6))),
    "nested list": lambda y, m: torch.block_diag(*[y, y]),
    "einsum": lambda y, m: torch.einsum("bi,bj->ij", y, y),
    "where": lambda y, m: torch.where(y > 0, y, torch.zeros(())),
    "index": lambda y, m: m.linear.weight[(y[0] > 0).long()],
    "indexed": lambda y, m: y[..., 1:3],
    "written into another": _written_into,
    "written in place": _in_place_after,
    "a view and its base": _view_and_base,
    "module": lambda y, m: m.linear(y),
    "module by keyword": lambda y, m: m.linear(input=y),
    "container": lambda y, m: m.layers(y),
    "query, key and value": lambda y, m: m.attention(y[None], y[None], y[None], need_weights=False)[0],
    "functional with weights": lambda y, m: F.linear(y, m.linear.weight),
    "functional, y as the weight": lambda y, m: F.linear(torch.ones(3, 6), y),
    "conv with y as the kernel": lambda y, m: F.conv1d(torch.ones(1, 1, 9), y[:, None, :3]),
    "returned": lambda y, m: y,
    "returned in a tuple": lambda y, m: (torch.ones(2), y)[1],
    "returned twice": lambda y, m: torch.stack([y, y])[1],
    "kept in a list": _kept_in_a_list,
    "held by a closure": _closure,
    "a branch on its value": _branch,
    "a loop over its rows": _loop,
    "item": lambda y, m: torch.ones(2) * y.max().item(),
    "numpy": lambda y, m: torch.from_numpy(y.numpy() * 2),
    "out=": lambda y, m: torch.add(y, 1, out=torch.empty(2, 6)),
    "unpacked": lambda y, m: torch.maximum(*y.unbind(0)),
    "sorted values": lambda y, m: torch.sort(y, dim=-1).values,
    "fft": lambda y, m: torch.fft.rfft(y).abs(),
    "vmap": lambda y, m: torch.vmap(lambda row: row * row.sum())(y),
    "shape only": lambda y, m: torch.ones(y.shape),
}


@pytest.mark.parametrize("name", CONSUMERS)
def test_every_kind_of_consumer_sees_the_bend(name: str) -> None:
    model = _Holds(CONSUMERS[name]).requires_grad_(False)
    reference = _Holds(CONSUMERS[name], lambda y: y * 3 + 0.5).requires_grad_(False)
    bended = tb.BendedModule(model)
    bended.trace(X)
    plain = model(X)
    bended.bend(tb.Affine(0.5, 3.0), "sin$")
    out, wanted = bended(X), reference(X)
    assert torch.equal(out, wanted)
    assert name == "shape only" or not torch.equal(out, plain)
    bended.reset()
    assert torch.equal(bended(X), plain)


@pytest.mark.parametrize("name", [n for n in CONSUMERS if n not in ("numpy", "vmap")])
def test_the_rest_of_the_graph_sees_a_given_activation(name: str) -> None:
    model = _Holds(CONSUMERS[name]).requires_grad_(False)
    bended = tb.BendedModule(model)
    bended.trace(X)
    found = bended.get_activations("sin$", x=X)
    assert torch.equal(found["sin"], torch.sin(X))
    assert torch.allclose(bended.from_activations("sin", **found), model(X), atol=1e-7)


class _Places(nn.Module):
    """Activations of all kinds. Shape: x [2, 6]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(6, 6)
        self.block = nn.Sequential(nn.Linear(6, 6), nn.Tanh())
        self.lstm = nn.LSTM(6, 6, batch_first=True)
        self.gain = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        y = y.relu()
        y = self.block(y) + 1
        y = F.softplus(y)
        z, _ = self.lstm(y[None])
        a, b = z[0].chunk(2, dim=-1)
        y = torch.cat([b, a], dim=-1) * self.gain
        y[:, 0] = 0
        y += x.T.T
        return y


SITES = ["x", "linear", "relu", "block_0", "block_1", "add", "softplus", "lstm[0]", "chunk[0]", "cat", "mul"]


def test_every_activation_can_be_bent_and_the_effect_is_what_the_callback_makes() -> None:
    """Each site in turn: what the rest of the graph makes of the bent value is what the call gives."""
    model = _Places().requires_grad_(False)
    plain = model(X)
    bended = tb.BendedModule(model)
    bended.trace(X)
    changed = 0
    for name, activation in bended.activations().items():
        if activation.weight is not None:
            continue
        pattern = f"{name}$".replace("[", r"\[").replace("]", r"\]")
        before = bended.get_activations(pattern, x=X)[name]
        handle = bended.bend(tb.Scale(1.5), pattern)
        assert handle.keys == [f"forward:{name}"]
        out = bended(X)
        assert torch.allclose(bended.get_activations(pattern, x=X)[name], before * 1.5), name
        changed += not torch.equal(out, plain)
        if name in SITES:  # the graph from here on, given the value before the bend
            again = bended.from_activations(name, **{"x": X, name: before})
            assert torch.allclose(again, out, atol=1e-6), name
        handle.remove()
        assert torch.equal(bended(X), plain), name
    assert changed >= len(bended.activations()) - 6  # the state of the LSTM leads nowhere
    assert set(SITES) <= set(bended.activations())


def test_a_bend_of_an_operation_in_place_is_seen_by_whoever_holds_the_tensor() -> None:
    class Writes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 1
            alias = y[:1]
            y.add_(1)
            y[0, 0] = 5
            return torch.cat([alias, y])

    model = Writes()
    bended = tb.BendedModule(model)
    bended.trace(X)
    bended.bend(tb.Scale(2.0), "add_?$")
    wanted = (X + 1) * 2
    wanted[0, 0] = 5
    assert torch.equal(bended(X), torch.cat([wanted[:1], wanted]))


def test_bends_of_many_sites_apply_in_the_order_of_the_program() -> None:
    model = _Holds(lambda y, m: torch.cos(y) * 2)
    bended = tb.BendedModule(model)
    bended.trace(X)
    bended.bend(tb.Scale(3.0), "mul$", "cos$")
    bended.bend(tb.Bias(1.0), "sin$", "cos$")
    assert torch.allclose(bended(X), (torch.cos(torch.sin(X) + 1) * 3 + 1) * 2 * 3)
