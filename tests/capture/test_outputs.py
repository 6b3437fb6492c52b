"""Any output is taken apart and put together again: dicts, dataclasses, named tuples, distributions."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, Normal

import torchbend as tb
from torchbend.capture import Replay, capture

from .fx_rows import Program

X, OTHER = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)), torch.ones(2, 6)


class _Pair(NamedTuple):
    mean: Tensor
    spread: Tensor


@dataclasses.dataclass
class _Report:
    level: Tensor
    parts: list[Tensor]
    name: str = "report"
    count: int = 0


@dataclasses.dataclass(frozen=True)
class _Frozen:
    level: Tensor


class _Object:
    """A plain object that holds tensors."""

    def __init__(self, level: Tensor) -> None:
        self.level = level
        self.label = "x"


OUTPUTS: dict[str, Callable[[Tensor, Any], Any]] = {
    "tensor": lambda x, m: x.sin(),
    "tuple": lambda x, m: (x.sin(), x.cos()),
    "list": lambda x, m: [x.sin(), [x.cos(), x]],
    "dict": lambda x, m: {"a": x.sin(), "b": {"c": x.cos(), 3: x}},
    "ordered dict": lambda x, m: OrderedDict(a=x.sin(), n=None),
    "named tuple": lambda x, m: _Pair(x.mean(), x.std()),
    "dataclass": lambda x, m: _Report(x.sin(), [x.cos(), x * 2], count=3),
    "frozen dataclass": lambda x, m: _Frozen(x.sin()),
    "object": lambda x, m: _Object(x.sin()),
    "numbers and text": lambda x, m: (x.sin(), 3, "text", None, True, 1.5),
    "size": lambda x, m: (x.sin(), x.shape, x.shape[0], tuple(x.shape)),
    "normal": lambda x, m: Normal(x, x.exp()),
    "categorical": lambda x, m: {"d": Categorical(logits=x)},
    "independent": lambda x, m: Independent(Normal(x, torch.ones_like(x)), 1),
    "the input itself": lambda x, m: x,
    "the same twice": lambda x, m: [y := x.sin(), y],
    "a weight": lambda x, m: (x @ m.w, m.w),
    "nothing": lambda x, m: None,
}


def _flat(value: Any) -> list[Any]:
    """The value as nested lists that compare; tensors stay."""
    if isinstance(value, Tensor) or value is None or isinstance(value, (int, float, str)):
        return [value]
    if isinstance(value, dict):
        return [type(value), *((k, _flat(v)) for k, v in value.items())]
    if isinstance(value, torch.distributions.Distribution):
        return [type(value), _flat(value.mean if not isinstance(value, Categorical) else value.logits)]
    if isinstance(value, (list, tuple)):
        return [type(value), *map(_flat, value)]
    return [type(value), _flat({k: v for k, v in vars(value).items() if not k.startswith("_")})]


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and torch.equal(a, b)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_replay_gives_the_same_output(name: str) -> None:
    module = Program(OUTPUTS[name]).requires_grad_(False)
    captured, out = capture(module, "forward", (X,), {})
    assert _same(_flat(out), _flat(module(X)))
    for x in (X, OTHER):
        assert _same(_flat(Replay(module, captured).run_all({"x": x})), _flat(module(x)))


class _Sines(Program):
    """The same program with three times the sine."""

    def forward(self, x: Tensor) -> Any:
        real = Tensor.sin
        Tensor.sin = lambda tensor: real(tensor) * 3  # type: ignore[method-assign,assignment]
        try:
            return self.function(x, self)
        finally:
            Tensor.sin = real  # type: ignore[method-assign]


@pytest.mark.parametrize("name", [name for name in OUTPUTS if name not in ("named tuple", "nothing")])
def test_a_bend_reaches_every_kind_of_output(name: str) -> None:
    module = Program(OUTPUTS[name]).requires_grad_(False)
    bended = tb.BendedModule(module)
    bended.trace(X)
    if "sin" in bended.activation_names():
        bended.bend(tb.Scale(3.0), "sin$")
        reference = _Sines(OUTPUTS[name]).requires_grad_(False)
        assert _same(_flat(bended(X)), _flat(reference(X)))
        assert not _same(_flat(bended(X)), _flat(module(X)))
    bended.reset()
    assert _same(_flat(bended(X)), _flat(module(X)))


class _Coder(nn.Module):
    """Gives a distribution, and samples it in another method. Shape: x [B, 6] -> [B, 3]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(6, 6)

    def encode(self, x: Tensor) -> Normal:
        mean, scale = self.linear(x).chunk(2, dim=-1)
        return Normal(mean, scale.exp())

    def forward(self, x: Tensor) -> Tensor:
        return self.encode(x).rsample()


def test_the_parts_of_a_distribution_are_bent() -> None:
    model = _Coder()
    plain = model.encode(X)
    bended = tb.BendedModule(model)
    bended.trace("encode", X)
    bended.bend(tb.Scale(2.0), "encode:exp$")
    bent = bended.encode(X)
    assert isinstance(bent, Normal)
    assert torch.equal(bent.stddev, plain.stddev * 2) and torch.equal(bent.mean, plain.mean)
    torch.manual_seed(5)
    sample = bended(X)
    torch.manual_seed(5)
    assert torch.allclose(sample, plain.mean + 2 * plain.stddev * torch.randn(4, 3), atol=1e-6)


def test_from_activations_gives_a_distribution() -> None:
    model = _Coder()
    bended = tb.BendedModule(model)
    bended.trace("encode", X)
    linear = bended.get_activations("linear$", fn="encode", x=X)
    again = bended.from_activations("linear", fn="encode", **linear)
    assert isinstance(again, Normal) and torch.equal(again.mean, model.encode(X).mean)
