"""Example inputs of a method: as given, or like those that it was traced with."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.capture import Activation, Capture
from torchbend.capture.structure import bind_inputs, has_tensor, signature_of
from torchbend.errors import ExportError

__all__ = ["ExampleInputs"]


@dataclass(frozen=True)
class ExampleInputs:
    """The arguments of one call of a method, of which those with tensors are inputs of the exported method.

    Attributes:
        args: the positional arguments.
        kwargs: the arguments by keyword.
        names: names of the inputs, in order.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: tuple[str, ...]

    @property
    def values(self) -> tuple[Any, ...]:
        """The inputs: tensors, or nests of tensors."""
        held = (*self.args, *self.kwargs.values())
        return tuple(value for value in held if has_tensor(value))

    def filled(self, values: Iterable[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call with other inputs."""
        given = iter(values)
        args = [next(given) if has_tensor(v) else v for v in self.args]
        return args, {k: next(given) if has_tensor(v) else v for k, v in self.kwargs.items()}

    @classmethod
    def given(cls, module: nn.Module, method: str, given: Any, extra: Iterable[str]) -> ExampleInputs:
        """What the user gives for a method: a tensor, a tuple of arguments, or a dict of them by name.

        Args:
            module: the wrapped module.
            method: name of the method.
            given: the arguments.
            extra: names of the inputs that callbacks take beside the model's.

        Raises:
            CaptureError: the arguments do not fit the method.
        """
        named = dict(given) if isinstance(given, Mapping) else {}
        listed = () if isinstance(given, Mapping) else tuple(given) if isinstance(given, tuple) else (given,)
        beside = {name: named.pop(name) for name in list(named) if name in set(extra)}
        return cls._of(bind_inputs(module, method, listed, named), beside)

    @classmethod
    def remembered(cls, module: nn.Module, capture: Capture) -> ExampleInputs:
        """Arguments of the shapes and dtypes with which a method was traced.

        Raises:
            ExportError: the traced call had an argument that cannot be made up: a nest of tensors, a number.
        """
        device = next((t.device for t in (*module.parameters(), *module.buffers())), torch.device("cpu"))
        values: dict[str, Any] = {}
        for node in capture.graph.nodes:
            name, known = str(node.target), capture.activations.get(node.name)
            if node.op != "placeholder":
                continue
            if name in capture.inputs:
                if known is None:
                    raise ExportError(
                        "an argument of the traced call is not a plain tensor, and cannot be made up",
                        site=f"{capture.method}({name})",
                        wanted="an example input",
                        next_step=f"script(inputs={{{capture.method!r}: (...)}}) with the arguments to use",
                    )
                values[name] = _like(known, device)
            else:
                fixed = [s for s in capture.graph.flow_steps if s.kind == "argument" and s.args[0] is node]
                values.update((name, step.expected) for step in fixed)
        return cls._of(_bound(signature_of(module, capture.method), values), {})

    @classmethod
    def _of(cls, bound: inspect.BoundArguments, beside: dict[str, Any]) -> ExampleInputs:
        args, kwargs = bound.args, {**bound.kwargs, **beside}
        names: list[str] = []
        for name, parameter in bound.signature.parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                names.extend(f"{name}_{k}" for k in range(len(args) - len(names)))
            elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                names.append(name)
        named = [*zip(names, args, strict=False), *kwargs.items()]
        return cls(args, kwargs, tuple(name for name, value in named if has_tensor(value)))


def _bound(signature: inspect.Signature, values: dict[str, Any]) -> inspect.BoundArguments:
    """``values``, by the names of the graph's placeholders, as arguments of the method."""
    bound = inspect.BoundArguments(signature, {})
    rest = dict(values)
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            items = [rest.pop(key) for key in (f"{name}_{k}" for k in range(len(rest))) if key in rest]
            bound.arguments[name] = tuple(items)
        elif parameter.kind is parameter.VAR_KEYWORD:
            bound.arguments[name] = rest
        elif name in rest:
            bound.arguments[name] = rest.pop(name)
    return bound


def _like(activation: Activation, device: torch.device) -> Tensor:
    """Noise in [-1, 1]; zeros of an integer dtype, which is an index into anything; true."""
    shape, dtype = activation.shape, activation.dtype
    if dtype.is_floating_point or dtype.is_complex:
        generator = torch.Generator().manual_seed(0)
        real = torch.rand(shape, generator=generator) * 2 - 1
        return real.to(device=device, dtype=dtype)
    return torch.full(shape, 1 if dtype == torch.bool else 0, dtype=dtype, device=device)
