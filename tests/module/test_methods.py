"""Bends hold in whatever way the model reaches a site: its methods, parts, itself, untraced code."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb

X = torch.linspace(-1, 1, 8).reshape(2, 4)


class _Coder(nn.Module):
    """``forward`` reaches ``encode`` and ``decode``; ``generate`` calls the module. Shape: x [B, 4]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
        self.decoder = nn.Linear(4, 4)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x).sin()

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z).cos()

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    def generate(self, x: Tensor, steps: int = 10) -> list[Tensor]:
        made = []
        for _ in range(steps):
            x = self(x)
            made.append(x)
        return made

    def direct(self, x: Tensor) -> Tensor:
        return self.forward(x) + 1

    def twice(self, x: Tensor) -> Tensor:
        return self.encode(x) + self.encode(x * 2)

    def encoded_by_part(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    @property
    def gain(self) -> float:
        return 2.0

    @staticmethod
    def helper(x: Tensor) -> Tensor:
        return x * 2


@pytest.fixture
def model() -> _Coder:
    return _Coder().requires_grad_(False)


def _encode(model: _Coder, x: Tensor, factor: float = 1.0) -> Tensor:
    """``encode`` with its sine times ``factor``."""
    return model.encoder(x).sin() * factor


def test_a_bend_of_encode_holds_in_forward_once(model: _Coder) -> None:
    bended = tb.BendedModule(model)
    bended.trace("encode", X)
    bended.bend(tb.Scale(3.0), "encode:sin$")
    assert torch.equal(bended.encode(X), _encode(model, X, 3.0))
    assert torch.equal(bended(X), model.decode(_encode(model, X, 3.0)))
    assert torch.equal(bended.direct(X), model.decode(_encode(model, X, 3.0)) + 1)


def test_a_site_reached_through_two_traced_methods_is_bent_once(model: _Coder) -> None:
    bended = tb.BendedModule(model)
    bended.trace(X)
    bended.trace("encode", X)
    bended.bend(tb.Scale(3.0), "sin$")  # in both methods
    assert bended.bended_keys() == ["forward:sin", "encode:sin"]
    assert torch.equal(bended(X), model.decode(_encode(model, X, 3.0)))
    assert torch.equal(bended.encode(X), _encode(model, X, 3.0))


def test_bends_of_two_methods_at_one_site_compose(model: _Coder) -> None:
    bended = tb.BendedModule(model)
    bended.trace(X)
    bended.trace("encode", X)
    bended.bend(tb.Scale(3.0), "forward:sin$")
    bended.bend(tb.Bias(1.0), "encode:sin$")
    assert torch.equal(bended(X), model.decode(_encode(model, X, 3.0) + 1))
    assert torch.equal(bended.encode(X), _encode(model, X) + 1)


def test_a_bend_of_forward_alone_leaves_encode_alone(model: _Coder) -> None:
    bended = tb.BendedModule(model)
    bended.trace(X)
    bended.trace("encode", X)
    bended.bend(tb.Scale(3.0), "sin$", fn="forward")
    assert torch.equal(bended(X), model.decode(_encode(model, X, 3.0)))
    assert torch.equal(bended.encode(X), model.encode(X))


def test_generation_is_bent_in_each_step(model: _Coder) -> None:
    bended = tb.BendedModule(model)
    bended.trace(X)
    bended.bend(tb.Scale(0.5), "cos$")
    wanted, made = X, bended.generate(X)
    assert len(made) == 10
    for step in made:
        wanted = model(wanted) * 0.5
        assert torch.equal(step, wanted)


def test_generation_is_bent_in_each_step_through_an_inner_method(model: _Coder) -> None:
    bended = tb.BendedModule(model)
    bended.trace("encode", X)
    bended.bend(tb.Scale(0.5), "encode:sin$")
    wanted = X
    for step in bended.generate(X):
        wanted = model.decode(_encode(model, wanted, 0.5))
        assert torch.equal(step, wanted)
    assert torch.equal(bended.twice(X), _encode(model, X, 0.5) + _encode(model, X * 2, 0.5))


def test_a_traced_generation_names_each_step(model: _Coder) -> None:
    bended = tb.BendedModule(model)
    bended.trace("generate", X, steps=3)
    names = bended.activation_names("generate")
    assert [n for n in names if n.startswith("cos")] == ["cos", "cos_1", "cos_2"]
    bended.bend(tb.Scale(0.5), "generate:cos_1$")
    first, second, third = bended.generate(X, steps=3)
    assert torch.equal(first, model(X))
    assert torch.equal(second, model(first) * 0.5)
    assert torch.equal(third, model(second))


def test_self_forward_called_directly_is_bent(model: _Coder) -> None:
    bended = tb.BendedModule(model)
    bended.trace(X)
    bended.bend(tb.Scale(3.0), "cos$")
    bended.bend(tb.Scale(2.0), "decoder.weight")
    wanted = (nn.functional.linear(model.encode(X), 2 * model.decoder.weight, model.decoder.bias)).cos() * 3
    assert torch.allclose(bended.direct(X), wanted + 1)
    assert torch.allclose(bended.forward(X), wanted)


def test_a_part_called_by_itself_is_bent(model: _Coder) -> None:
    bended = tb.BendedModule(model)
    bended.trace(X)
    bended.bend(tb.Scale(2.0), "encoder.0.weight")
    bended.bend(tb.Scale(3.0), "encoder_1$")
    first = model.encoder[0]
    wanted = nn.functional.linear(X, 2 * first.weight, first.bias)
    assert torch.allclose(bended.encoder(X), wanted.tanh() * 3)
    assert torch.allclose(bended.encoder[0](X), wanted)
    assert torch.allclose(bended.encoded_by_part(X), wanted.tanh() * 3)
    assert torch.allclose(bended.encode(X), (wanted.tanh() * 3).sin())
    assert len(bended.encoder) == 2 and bended.encoder.module is model.encoder
    assert torch.equal(model.encoder(X), first(X).tanh())


def test_untraced_methods_reach_bent_weights(model: _Coder) -> None:
    bended = tb.BendedModule(model)
    bended.bend(tb.Scale(0.0), "decoder")
    assert torch.equal(bended(X), torch.ones(2, 4))  # cos(0)
    assert torch.equal(bended.decode(X), torch.ones(2, 4))
    assert torch.equal(bended.direct(X), torch.full((2, 4), 2.0))


def test_other_attributes_are_the_module_s_own(model: _Coder) -> None:
    bended = tb.BendedModule(model)
    assert bended.gain == 2.0
    assert torch.equal(bended.helper(X), X * 2)
    assert "generate" in dir(bended)
    with pytest.raises(AttributeError, match="neither BendedModule nor the wrapped _Coder"):
        _ = bended.nothing


class _Recursive(nn.Module):
    """Calls itself on halves. Shape: x [B, T], T a power of 2."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.leaf = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] == 2:
            return self.leaf(x).tanh()
        left, right = x.chunk(2, dim=-1)
        return torch.cat([self(left), self(right)], dim=-1) * 2


def _recursive(
    model: _Recursive, x: Tensor, gain: float, calls: list[int], only: int | None = None
) -> Tensor:
    """`_Recursive` with its tanh times ``gain``, in each call or only in call number ``only``."""
    if x.shape[-1] == 2:
        calls.append(len(calls))
        here = gain if only is None or calls[-1] == only else 1.0
        return model.leaf(x).tanh() * here
    left, right = x.chunk(2, dim=-1)
    made = [_recursive(model, half, gain, calls, only) for half in (left, right)]
    return torch.cat(made, dim=-1) * 2


def test_a_module_that_calls_itself_is_bent_at_the_named_call() -> None:
    model = _Recursive().requires_grad_(False)
    x = torch.randn(3, 8)
    bended = tb.BendedModule(model)
    bended.trace(x)
    names = [n for n in bended.activation_names() if n.startswith("tanh")]
    assert names == ["tanh", "tanh_1", "tanh_2", "tanh_3"]
    for number, name in enumerate(names):
        bended.bend(tb.Scale(3.0), f"{name}$")
        assert torch.equal(bended(x), _recursive(model, x, 3.0, [], only=number)), name
        bended.reset()
    bended.bend(tb.Scale(3.0), "tanh.*")
    assert torch.equal(bended(x), _recursive(model, x, 3.0, []))
    bended.reset()
    bended.bend(tb.Scale(2.0), "leaf_2$")
    longer = torch.randn(1, 8)
    assert not torch.equal(bended(longer), model(longer))


def test_a_shared_layer_is_bent_at_the_named_call() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor, times: int = 3) -> Tensor:
            for _ in range(times):
                x = self.layer(x)
            return x

    model = Shared().requires_grad_(False)
    bended = tb.BendedModule(model)
    bended.trace(X)
    bended.bend(tb.Scale(2.0), "layer_1$")
    assert torch.equal(bended(X), model.layer(2 * model.layer(model.layer(X))))
    assert torch.equal(bended(X, times=2), 2 * model.layer(model.layer(X)))
    bended.bend(tb.Scale(2.0), "layer$")
    assert torch.equal(bended(X, times=1), 2 * model.layer(X))


def test_a_kept_method_runs_bent() -> None:
    model = _Coder().requires_grad_(False)
    bended = tb.BendedModule(model)
    bended.trace(X)
    bended.get_activations("sin$", _save_as_method="look", x=X)
    bended.from_activations("sin", _save_as_method="resume")
    found: Any = bended.look(x=X)
    assert torch.equal(found["sin"], model.encode(X))
    assert torch.equal(bended.resume(sin=found["sin"]), model(X))
    bended.bend(tb.Scale(2.0), "cos$")
    assert torch.equal(bended.resume(sin=found["sin"]), 2 * model(X))
