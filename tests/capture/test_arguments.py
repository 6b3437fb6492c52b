"""Methods take their arguments in every way that Python knows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from torchbend.capture import Replay, capture
from torchbend.errors import CaptureError

X, Y = torch.linspace(-1, 1, 6), torch.linspace(2, 3, 6)


class _Takes(nn.Module):
    """Methods of all shapes of signature."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sin()

    def default(self, x: Tensor, gain: float = 2.0, shift: Any = None) -> Tensor:
        y = x * gain
        return y if shift is None else y + shift

    def several(self, *xs: Tensor) -> Tensor:
        total = xs[0].sin()
        for x in xs[1:]:
            total = total + x
        return total

    def named(self, x: Tensor, **more: Tensor) -> Tensor:
        return x.sin() + sum(more.values())

    def everything(
        self, a: Tensor, /, b: Tensor, *rest: Tensor, c: Tensor, d: float = 2.0, **more: Any
    ) -> Tensor:
        return a.sin() + b * c * d + sum(rest) + more["e"]

    def nested(self, pair: tuple[Tensor, dict[str, Tensor]], items: list[Tensor]) -> Tensor:
        return pair[0].sin() + pair[1]["y"] * items[1]

    def optional(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x.sin() if mask is None else x.sin() * mask

    def typed(self, x: Tensor, dtype: torch.dtype = torch.float64, device: Any = "cpu") -> Tensor:
        return x.to(device=device, dtype=dtype).sin() + torch.zeros(x.shape, dtype=dtype, device=x.device)


CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "default left out": ("default", (X,), {}),
    "default by position": ("default", (X, 3.0), {}),
    "default by name": ("default", (), {"x": X, "shift": Y, "gain": 4.0}),
    "one of many": ("several", (X,), {}),
    "many": ("several", (X, Y, X), {}),
    "named": ("named", (X,), {"a": Y, "b": X}),
    "all kinds": ("everything", (X, Y, X, X), {"c": Y, "e": X, "d": 3.0}),
    "nested": ("nested", ((X, {"y": Y}), [X, Y]), {}),
    "optional left out": ("optional", (X,), {}),
    "optional given": ("optional", (X,), {"mask": Y}),
    "types": ("typed", (X,), {"dtype": torch.float32, "device": torch.device("cpu")}),
    "types left out": ("typed", (X,), {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_any_call_is_captured(name: str) -> None:
    method, args, kwargs = CALLS[name]
    module = _Takes()
    captured, out = capture(module, method, args, kwargs)
    wanted = getattr(module, method)(*args, **kwargs)
    assert torch.equal(out, wanted)
    bended = tb.BendedModule(module)
    bended.trace(method, *args, **kwargs)
    assert torch.equal(getattr(bended, method)(*args, **kwargs), wanted)
    bended.bend(tb.Scale(2.0), f"{method}:sin$" if "sin" in captured.activations else f"{method}:mul$")
    assert not torch.equal(getattr(bended, method)(*args, **kwargs), wanted)


@pytest.mark.parametrize("name", [n for n in CALLS if n != "types left out"])
def test_any_call_is_replayed_with_other_values(name: str) -> None:
    method, args, kwargs = CALLS[name]
    module = _Takes()
    captured, out = capture(module, method, args, kwargs)
    inputs = _by_placeholder(captured, module, method, args, kwargs)
    assert torch.equal(Replay(module, captured).run_all(inputs), out)
    other = {k: _changed(v) for k, v in inputs.items()}
    again, _ = capture(module, method, *_changed((args, kwargs)))
    assert torch.equal(
        Replay(module, captured).run_all(other), getattr(module, method)(*_changed(args), **_changed(kwargs))
    )
    assert [n.name for n in again.graph.nodes] == [n.name for n in captured.graph.nodes]


def _by_placeholder(captured: Any, module: nn.Module, method: str, args: Any, kwargs: Any) -> dict[str, Any]:
    """The call's values by the names of the graph's placeholders."""
    from torchbend.capture.structure import bind_inputs, call_arguments

    bound = bind_inputs(module, method, args, kwargs)
    values = {name: value for name, value, _ in call_arguments(bound)}
    names = [n.target for n in captured.graph.nodes if n.op == "placeholder"]
    return {n: values[n] for n in names if n in captured.inputs}


def _changed(value: Any) -> Any:
    """The same structure with other values in its tensors."""
    if isinstance(value, Tensor):
        return value * 2 + 0.25
    if isinstance(value, tuple):
        return tuple(map(_changed, value))
    if isinstance(value, list):
        return list(map(_changed, value))
    if isinstance(value, dict):
        return {k: _changed(v) for k, v in value.items()}
    return value


def test_parts_of_a_nested_argument_are_sites() -> None:
    bended = tb.BendedModule(_Takes())
    bended.trace("nested", (X, {"y": Y}), [X, Y])
    assert "pair[0]" in bended.activation_names("nested")
    assert "pair[1]['y']" in bended.activation_names("nested")
    bended.bend(tb.Scale(2.0), r"nested:pair\[0\]$")
    assert torch.equal(bended.nested((X, {"y": Y}), [X, Y]), (2 * X).sin() + Y * Y)


def test_one_of_many_arguments_is_a_site() -> None:
    bended = tb.BendedModule(_Takes())
    bended.trace("several", X, Y)
    bended.bend(tb.Scale(2.0), "several:xs_1$")
    assert torch.equal(bended.several(X, Y), X.sin() + 2 * Y)


def test_an_argument_of_another_name_is_taken_for_the_missing_one(caplog: pytest.LogCaptureFixture) -> None:
    captured, _ = capture(_Takes(), "forward", (), {"t": X})
    assert captured.inputs == ["x"]
    assert "no argument 't': taken for 'x'" in caplog.text


def test_arguments_that_do_not_fit_are_told() -> None:
    module = _Takes()
    with pytest.raises(CaptureError, match="do not fit") as told:
        capture(module, "forward", (), {})
    assert "forward(x" in str(told.value.wanted)
    with pytest.raises(CaptureError, match="do not fit"):
        capture(module, "nested", (), {"pear": 1, "item": 2})
    with pytest.raises(CaptureError, match="no method 'encode'"):
        capture(module, "encode", (X,), {})


def test_an_error_of_the_model_is_the_model_s_own() -> None:
    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ZeroDivisionError("the model's own")

    with pytest.raises(ZeroDivisionError, match="the model's own"):
        capture(Fails(), "forward", (X,), {})


def test_a_tensor_that_is_given_twice_is_two_arguments() -> None:
    class Attends(nn.Module):
        def forward(self, query: Tensor, key: Tensor, more: list[Tensor]) -> Tensor:
            return query.sin() + key.cos() * more[0]

    module = Attends()
    captured, out = capture(module, "forward", (X, X, [X]), {})
    assert torch.equal(out, module(X, X, [X]))
    other = Replay(module, captured).run_all({"query": X, "key": Y, "more": [X + Y]})
    assert torch.equal(other, module(X, Y, [X + Y]))


def test_a_weight_that_is_given_as_an_argument_is_still_an_argument() -> None:
    class Holds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("table", X.clone())

        def forward(self, x: Tensor) -> Tensor:
            return x.sin() + self.table

    module = Holds()
    captured, _ = capture(module, "forward", (module.table,), {})
    assert torch.equal(Replay(module, captured).run_all({"x": Y}), module(Y))
