"""An object that holds modules is bent like a module, and stays as it is."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from torchbend.errors import TorchbendError
from torchbend.interfaces import BendingInterface
from torchbend.module import BendedWrapper


class Base:
    def settled(self) -> str:
        return "base"


class Generator(Base):
    """A model with two networks, a setting and a counter; no module itself."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.text = nn.Linear(3, 4)
        self.stages = [nn.Linear(4, 4), nn.Linear(4, 2)]
        self.level = 2.0
        self.count = 0

    @property
    def twice(self) -> float:
        return 2 * self.level

    def settled(self) -> str:
        return super().settled() + "!"

    def encode(self, x: Tensor) -> Tensor:
        return torch.sin(self.text(x))

    def generate(self, x: Tensor, *, scale: float = 1.0) -> Tensor:
        self.count += 1
        z = self.encode(x)
        for stage in self.stages:
            z = stage(z)
        return z * scale * self.level

    def __call__(self, x: Tensor) -> Tensor:
        return self.generate(x) + 1


@pytest.fixture
def generator() -> Generator:
    return Generator()


X = torch.linspace(-1, 1, 6).reshape(2, 3)


def test_it_answers_as_the_object_does(generator: Generator) -> None:
    bended = BendedWrapper(generator)
    assert torch.equal(bended.generate(X, scale=0.5), generator.generate(X, scale=0.5))
    assert torch.equal(bended(X), generator(X))
    assert (bended.level, bended.twice, bended.settled()) == (2.0, 4.0, "base!")
    assert bended.wrapped_object is generator
    assert isinstance(bended.wrapped_module, nn.Module)
    assert repr(bended) == "BendedWrapper(Generator)"


def test_what_its_methods_set_is_set_in_the_object(generator: Generator) -> None:
    bended = BendedWrapper(generator)
    bended.generate(X)
    assert generator.count == 1


def test_weights_are_named_by_attribute_and_bent_in_the_same_modules(generator: Generator) -> None:
    bended = BendedWrapper(generator)
    assert bended.weight_names == [
        f"{name}.{part}" for name in ("text", "stages.0", "stages.1") for part in ("weight", "bias")
    ]
    plain = generator.generate(X)
    bended.bend(tb.Scale(3.0), r"stages\.1\.")
    assert torch.allclose(bended.generate(X), 3 * plain)
    assert torch.equal(generator.generate(X), plain)
    bended.reset()
    assert torch.equal(bended.generate(X), plain)


def test_activations_of_its_methods_are_bent_wherever_they_are_reached(generator: Generator) -> None:
    bended = BendedWrapper(generator)
    bended.trace("encode", X)
    bended.trace("generate", X, scale=1.0)
    bended.bend(tb.Scale(2.0), "encode:sin$")
    bended.bend(tb.Bias(1.0), "generate:stages_1")
    with torch.no_grad():
        first, second = generator.stages
        assert torch.equal(bended.encode(X), 2 * generator.encode(X))
        wanted = (second(first(2 * generator.encode(X))) + 1) * 2.0
        assert torch.equal(bended.generate(X), wanted)
        assert torch.equal(bended(X), wanted + 1)
    found = bended.get_activations("sin", fn="encode", x=X)
    assert torch.equal(found["sin"], 2 * generator.encode(X))


def test_tracing_leaves_the_object_as_it_was(generator: Generator) -> None:
    before = dict(vars(generator))
    BendedWrapper(generator).trace("generate", X)
    assert vars(generator) == before


def test_a_call_of_the_object_can_be_traced(generator: Generator) -> None:
    bended = BendedWrapper(generator)
    bended.trace(x=X)
    bended.bend(tb.Scale(0.0), "add$")
    assert torch.equal(bended(X), torch.zeros(2, 2))
    assert torch.equal(bended.generate(X), generator.generate(X))


def test_a_version_is_made_of_another_object(generator: Generator) -> None:
    other = Generator(seed=1)
    bended = BendedWrapper(generator)
    bended.create_version("other", other)
    with bended.set_version("other"):
        assert torch.equal(bended.generate(X), other.generate(X))
    assert torch.equal(bended.generate(X), generator.generate(X))


def test_copies_are_independent(generator: Generator) -> None:
    bended = BendedWrapper(generator)
    bended.bend(tb.Scale(2.0), "text.weight")
    for copied in (copy.deepcopy(bended), pickle.loads(pickle.dumps(bended))):
        assert torch.equal(copied.encode(X), bended.encode(X))
        with torch.no_grad():
            copied.wrapped_object.text.weight.zero_()
        assert not torch.equal(copied.encode(X), bended.encode(X))


def test_a_bent_method_of_an_object_is_exported(generator: Generator) -> None:
    bended = BendedWrapper(generator)
    bended.trace("encode", X)
    bended.bend(tb.Scale(tb.BendingParameter("gain", 2.0)), "text.weight", "sin")
    exported = bended.script()
    exported.set_gain(0.5)
    bended.update("gain", 0.5)
    assert torch.equal(exported.encode(X), bended.encode(X))


def test_values_that_compare_by_content_can_be_wrapped() -> None:
    class Equal:
        def __init__(self) -> None:
            self.net = nn.Linear(3, 3)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Equal)

        __hash__ = None  # type: ignore[assignment]

    assert BendedWrapper(Equal()).weight_names == ["net.weight", "net.bias"]


@pytest.mark.parametrize("obj", [object(), "text", {"a": 1}, type("Empty", (), {})()])
def test_an_object_without_modules_is_refused(obj: Any) -> None:
    with pytest.raises(TorchbendError, match="holds no torch.nn.Module"):
        BendedWrapper(obj)


def test_a_module_is_taken_as_it_is() -> None:
    net = nn.Linear(3, 3)
    bended = BendedWrapper(net)
    assert bended.wrapped_module is net and bended.wrapped_object is net
    bended.trace(X)
    bended.bend(tb.Scale(2.0), "weight")
    assert torch.equal(bended(X), nn.functional.linear(X, 2 * net.weight, net.bias))


def test_an_interface_adds_verbs_that_are_bent(generator: Generator) -> None:
    class Verbs(BendingInterface):
        def louder(self, x: Tensor) -> Tensor:
            return self.encode(x) * 10

    bended = Verbs(generator)
    bended.bend(tb.Scale(0.0), "text")
    assert torch.equal(bended.louder(X), torch.zeros(2, 4))
    assert repr(bended) == "Verbs(Generator)"
