"""Modules that are hard to see into: recurrent, shared, tied, scripted, custom gradients, vmap, recursion."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from tests.zoo import nets_program as programs
from torch import Tensor, nn

import torchbend as tb
from torchbend.capture import Replay, capture
from torchbend.errors import ReplayError

from .fx_rows import Program

X = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))


class _Recurrent(nn.Module):
    """Shape: x [B, T, 4] -> [B, T, 3], [1, B, 3]."""

    def __init__(self, kind: Any, unpack: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.rnn = kind(4, 3, batch_first=True)
        self.unpack = unpack

    def forward(self, x: Tensor) -> Any:
        if self.unpack:
            y, state = self.rnn(x)
            return y.tanh(), state
        result = self.rnn(x)
        return result[0].tanh()


@pytest.mark.parametrize("unpack", [True, False])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_the_parts_of_a_recurrent_layer(kind: Any, unpack: bool) -> None:
    module = _Recurrent(kind, unpack)
    x = torch.randn(2, 5, 4)
    captured, _ = capture(module, "forward", (x,), {})
    parts = [name for name in captured.activations if name.startswith("rnn")]
    assert parts == (["rnn[0]", "rnn[1][0]", "rnn[1][1]"] if kind is nn.LSTM else ["rnn[0]", "rnn[1]"])
    assert captured.activations["rnn[0]"].shape == (2, 5, 3)
    assert captured.activations["rnn[0]"].op == "call_module"
    longer = torch.randn(3, 9, 4)
    out, wanted = Replay(module, captured).run_all({"x": longer}), module(longer)
    assert torch.equal(out[0] if unpack else out, wanted[0] if unpack else wanted)
    bended = tb.BendedModule(module)
    bended.trace(x)
    bended.bend(tb.Scale(2.0), r"rnn\[0\]")
    y = (2 * module.rnn(longer)[0]).tanh()
    assert torch.equal(bended(longer)[0] if unpack else bended(longer), y)


def test_a_part_and_the_node_that_reads_it_are_one_site() -> None:
    """``y, state = lstm(x)`` makes the node ``getitem``, which is ``lstm[0]`` by another name."""
    module = _Recurrent(nn.LSTM, unpack=True)
    x = torch.randn(2, 5, 4)
    bended = tb.BendedModule(module)
    bended.trace(x)
    for name in (r"rnn\[0\]$", "getitem$"):
        bended.bend(tb.Scale(2.0), name)
        assert torch.equal(bended(x)[0], (2 * module.rnn(x)[0]).tanh()), name
        bended.reset()


def test_a_shared_module_is_one_module_with_several_calls() -> None:
    torch.manual_seed(0)
    module = programs.SharedSubmodule()
    captured, out = capture(module, "forward", (X,), {})
    called = [n.name for n in captured.graph.nodes if n.op == "call_module"]
    assert called == ["layer", "layer_1", "banks_bend", "layer_2"]
    assert captured.calls["layer"] == 3
    assert torch.equal(Replay(module, captured).run_all({"x": X}), out)
    bended = tb.BendedModule(module)
    bended.trace(X)
    bended.bend(tb.Scale(2.0), "layer_1$")  # the second call alone
    y = module.layer(X) + 2 * module.layer(X.flip(-1))
    assert torch.equal(bended(X), module.layer(module.layer(torch.tanh(y))))


def test_a_shared_module_s_weight_is_bent_in_each_of_its_calls() -> None:
    torch.manual_seed(0)
    module = programs.SharedSubmodule()
    bended = tb.BendedModule(module)
    assert {"layer.weight", "alias.weight", "banks.again.weight"} <= set(bended.weight_names)
    bended.bend(tb.Scale(2.0), "alias.weight")

    def layer(x: Tensor) -> Tensor:
        return nn.functional.linear(x, 2 * module.layer.weight, module.layer.bias)

    assert torch.allclose(bended(X), layer(layer(torch.tanh(layer(X) + layer(X.flip(-1))))), atol=1e-6)


def test_scripted_submodules_are_leaves() -> None:
    torch.manual_seed(0)
    module = programs.WithScripts()
    captured, out = capture(module, "forward", (X,), {})
    assert "scripted" in captured.activations
    assert captured.activations["scripted"].op == "call_module"
    assert torch.equal(Replay(module, captured).run_all({"x": X}), out)
    bended = tb.BendedModule(module)
    bended.trace(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        bended.bend(tb.Scale(0.5), "scripted$")
        first = module.first(X)
        wanted = module.last(module.gate(0.5 * module.scripted(first), first))
        assert torch.allclose(bended(X), wanted, atol=1e-6)


def test_a_scripted_function_never_gives_a_stale_answer() -> None:
    """Whatever the graph knows of it: another input is answered rightly or refused."""
    torch.manual_seed(0)
    module = programs.WithScripts()
    captured, _ = capture(module, "forward", (X,), {})
    other = torch.randn(2, 8)
    try:
        out = Replay(module, captured).run_all({"x": other})
    except ReplayError:
        return
    assert torch.equal(out, module(other))


def test_numpy_in_the_middle_never_gives_a_stale_answer() -> None:
    torch.manual_seed(0)
    module = programs.ThroughNumpy()
    captured, out = capture(module, "forward", (X,), {})
    assert torch.equal(Replay(module, captured).run_all({"x": X}), out)
    with pytest.raises(ReplayError):
        Replay(module, captured).run_all({"x": X + 1})
    bended = tb.BendedModule(module)
    bended.trace(X)
    bended.bend(tb.Scale(2.0), "first$")  # the model's own code runs: numpy sees the bent value
    curve = torch.from_numpy((2 * module.first(X)).detach().numpy() ** 2)
    assert torch.equal(bended(X), module.last(curve) + X)


def test_a_custom_gradient_and_vmap() -> None:
    torch.manual_seed(0)
    module = programs.CustomFunction()
    captured, out = capture(module, "forward", (X,), {})
    assert torch.equal(Replay(module, captured).run_all({"x": X}), out)
    bended = tb.BendedModule(module)
    bended.trace(X)
    bended.bend(tb.Scale(2.0), "linear$")
    rounded = torch.round(2 * module.linear(X) * 4) / 4
    wanted = torch.stack([row * row.sum() for row in rounded])
    assert torch.allclose(bended(X), wanted, atol=1e-6)
    x = X.clone().requires_grad_()
    bended(x).sum().backward()
    assert x.grad is not None and bool(x.grad.abs().sum() > 0)


def test_what_a_custom_gradient_computes_inside_bends() -> None:
    def program(x: Tensor, m: Any) -> Tensor:
        return programs.Straight.apply(x * 3) + 1

    module = Program(program)
    bended = tb.BendedModule(module)
    bended.trace(X)
    bended.bend(tb.Scale(5.0), "truediv$")
    assert torch.equal(bended(X), torch.round(X * 12) / 4 * 5 + 1)


def test_vmap_over_a_bent_layer() -> None:
    class Mapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return torch.vmap(self.linear)(x).tanh()

    module = Mapped()
    captured, out = capture(module, "forward", (X,), {})
    assert torch.allclose(Replay(module, captured).run_all({"x": X}), out)
    bended = tb.BendedModule(module)
    bended.trace(X)
    bended.bend(tb.Scale(2.0), "linear.weight")
    bended.bend(tb.Scale(3.0), "tanh$")
    wanted = nn.functional.linear(X, 2 * module.linear.weight, module.linear.bias).tanh() * 3
    assert torch.allclose(bended(X), wanted, atol=1e-6)


def test_a_module_that_calls_itself() -> None:
    torch.manual_seed(0)
    module = programs.SelfRecursive()
    x = torch.randn(2, 16)
    captured, out = capture(module, "forward", (x,), {})
    leaves = [n.name for n in captured.graph.nodes if n.op == "call_module"]
    assert leaves == ["leaf", "leaf_1", "leaf_2", "leaf_3"]
    assert torch.equal(Replay(module, captured).run_all({"x": x}), out)
    more = torch.randn(5, 16)
    assert torch.equal(Replay(module, captured).run_all({"x": more}), module(more))


def test_modules_of_dicts_and_lists_built_while_running() -> None:
    class Chooses(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.banks = nn.ModuleDict({"a": nn.Linear(8, 8), "b": nn.Linear(8, 8)})

        def forward(self, x: Tensor) -> Tensor:
            made = nn.Softmax(dim=-1)  # a module that the model does not hold
            return made(self.banks["b"](x)) + self.banks["a"](x)

    module = Chooses()
    captured, out = capture(module, "forward", (X,), {})
    assert [n.name for n in captured.graph.nodes][1:] == ["banks_b", "softmax", "banks_a", "add", "output"]
    assert torch.equal(Replay(module, captured).run_all({"x": X}), out)
