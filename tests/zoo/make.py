"""Short ways to write a model from a configuration, and the inputs of an entry."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .definition import Entry, Inputs

#: a standard deviation at which narrow layers pass their signal on; the usual 0.02 is meant for wide ones
LIVELY = {"initializer_range": 0.2}


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Gaussian noise of a shape, the same for the same seed; torch's own random state is left alone."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tokens(batch: int, length: int, vocabulary: int = 64, first: int = 5, seed: int = 0) -> Tensor:
    """Token numbers in [first, vocabulary), of shape [batch, length]; the low ones are often special."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(first, vocabulary, (batch, length), generator=generator)


def seeded(make: Callable[..., nn.Module], *args: Any, **settings: Any) -> Callable[[], nn.Module]:
    """A `build` of an entry: seeds torch with 0, makes the module, and puts it in eval mode."""

    def build() -> nn.Module:
        torch.manual_seed(0)
        return make(*args, **settings).eval()

    return build


def wake(model: nn.Module) -> nn.Module:
    """Fills with small noise what a model starts from zero: codebooks, class tokens, zero convolutions.

    An untrained model that multiplies by zeros answers the same whatever is bent in front of them.
    """
    with torch.no_grad():
        for number, value in enumerate([*model.parameters(), *model.buffers()]):
            if value.is_floating_point() and value.dim() > 1 and not bool(value.any()):
                value.copy_(0.2 * noise(*value.shape, seed=number))
    return model


def from_transformers(model: str, config: str, **settings: Any) -> Callable[[], nn.Module]:
    """A `build` of an entry: the named class of transformers, with random weights, none of them all zero.

    Args:
        model: name of the model's class.
        config: name of its configuration's class.
        settings: arguments of the configuration.
    """

    def build() -> nn.Module:
        library = importlib.import_module("transformers")
        torch.manual_seed(0)
        return wake(getattr(library, model)(getattr(library, config)(**{**LIVELY, **settings})).eval())

    return build


def from_diffusers(model: str, **settings: Any) -> Callable[[], nn.Module]:
    """A `build` of an entry: the named class of diffusers, with random weights."""

    def build() -> nn.Module:
        library = importlib.import_module("diffusers")
        torch.manual_seed(0)
        return wake(getattr(library, model)(**settings).eval())

    return build


def by_shape(
    argument: str, shape: tuple[int, ...], other: tuple[int, ...] | None, **fixed: Any
) -> dict[str, Any]:
    """The inputs of an entry that takes noise: `Entry(..., **by_shape("x", (1, 8), (2, 8)))`.

    Args:
        argument: name of the method's argument.
        shape: its shape.
        other: another shape that the model takes, or None.
        fixed: further arguments, the same in both.
    """

    def inputs_of(size: tuple[int, ...], seed: int) -> Inputs:
        return lambda: {argument: noise(*size, seed=seed), **fixed}

    return {"inputs": inputs_of(shape, 1), "other_inputs": None if other is None else inputs_of(other, 2)}


def by_length(
    argument: str, length: int, other: int | None, vocabulary: int = 64, batch: int = 2, **fixed: Any
) -> dict[str, Any]:
    """The `inputs` and `other_inputs` of an entry that takes token numbers, at two lengths."""

    def inputs_of(size: int, seed: int) -> Inputs:
        return lambda: {argument: tokens(batch, size, vocabulary, seed=seed), **fixed}

    return {"inputs": inputs_of(length, 1), "other_inputs": None if other is None else inputs_of(other, 2)}


def entries(family: str, *rows: Entry) -> list[Entry]:
    """The rows of one family, checked to say so."""
    strangers = [row.name for row in rows if row.family != family]
    if strangers:
        raise ValueError(f"entries of another family than {family!r}: {strangers}")
    return list(rows)
