"""The graph of a method at any size of its inputs, from its graphs at a few sizes.

Tracing with symbols for sizes asks a computer algebra system about every shape. Here the method is traced
with numbers, once for each free size and once more. What differs between these graphs is a size, and grows
evenly with what is free; what is no such size makes it fail, and the result is for the caller to verify.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode

from torchbend.capture.structure import walk
from torchbend.errors import ExportError
from torchbend.export.functional import Functional
from torchbend.export.program import Sizes, quiet, resized
from torchbend.export.recurrent import gru_layers

__all__ = ["Free", "Size", "Sized", "Step", "input_nodes", "sized_graph"]

_GRU_ARGUMENTS = 9
"""Of ``torch.gru`` for a batch of equally long signals; there is another form, for packed ones."""


@dataclass(frozen=True)
class Free:
    """A free size: of a dimension of an input, a multiple of a number.

    Attributes:
        input: name of the input.
        dim: of it.
        multiple: the size is ``multiple * n``.
        count: n in the example.
    """

    input: str
    dim: int
    multiple: int
    count: int


@dataclass(frozen=True)
class Size:
    """A size that follows the free ones: ``constant + sum(slope * n)``."""

    constant: int
    slopes: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        node: of the traced graph; it stands for its result in the arguments of others.
        args: of the operation, with `Size` where a number follows the free ones.
        kwargs: the same, by keyword.
        shape: of the result: numbers and `Size`; None where the result is no single tensor.
    """

    node: Node
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    shape: tuple[int | Size, ...] | None


@dataclass(frozen=True)
class Sized:
    """A method's graph.

    Attributes:
        free: the free sizes.
        steps: what is done, in order: inputs, constants, operations.
        constants: the tensors of the steps that are constants, by node.
        outputs: the nodes of the results, then those of the new states.
    """

    free: list[Free]
    steps: list[Step]
    constants: dict[Node, Tensor]
    outputs: list[Node]


def sized_graph(functional: Functional, sizes: Sizes) -> Sized:
    """Trace a method at several sizes.

    Args:
        functional: the method.
        sizes: the free ones.

    Raises:
        ExportError: the method does not take the same way at all sizes, or not by numbers alone.
    """
    groups = _groups(functional, sizes)
    free = [group[0] for group in groups]
    modules = []
    try:
        for more in [None, *range(len(groups))]:
            modules.append(_traced(functional, groups, more))
    except Exception as error:  # the model's own code, run by a tracer
        raise _unsized(str(error).partition("\n")[0]) from error
    merge = _Merge(free, modules)
    return Sized(free, merge.steps(), merge.constants, merge.outputs())


def _groups(functional: Functional, sizes: Sizes) -> list[list[Free]]:
    """The free sizes; those that are equal in several inputs, and vary together, in one list."""
    inputs, _, _ = functional.arguments()
    found: dict[tuple[int, int], list[Free]] = {}
    for name, dims in sizes.items():
        for dim, multiple in dims.items():
            size = inputs[name].shape[dim]
            key = (size, dim if dim == 0 else dim - inputs[name].dim())
            found.setdefault(key, []).append(Free(name, dim, multiple, max(2, size // multiple)))
    return list(found.values())


def _traced(functional: Functional, groups: list[list[Free]], more: int | None) -> GraphModule:
    """The graph at the example's sizes, of which one may have a step more."""
    inputs, states, controls = functional.arguments()
    for number, group in enumerate(groups):
        for free in group:
            count = free.count + (number == more)
            inputs[free.input] = resized(inputs[free.input], free.dim, count * free.multiple)
    with quiet(), torch.no_grad():
        with _Whole():
            written = make_fx(functional)(inputs, states, controls)
        pure: Callable[..., Any] = torch.func.functionalize(written, remove="mutations")
        made = make_fx(pure)(inputs, states, controls)
    made.graph.eliminate_dead_code()
    return made


class _Whole(TorchFunctionMode):
    """Within it nobody reads the numbers in a tensor, which would be constants of the graph.

    A GRU is an operation of its own, so that the graph does not depend on the number of frames.
    """

    _READING = frozenset(
        (
            "__bool__",
            "__int__",
            "__float__",
            "__complex__",
            "__index__",
            "item",
            "tolist",
            "numpy",
            "__array__",
        )
    )

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in self._READING:
            raise _unsized("Python code reads the numbers in a tensor")
        if getattr(func, "__name__", "") == "gru" and len(args) == _GRU_ARGUMENTS:
            return gru_layers(*args)
        return func(*args, **(kwargs or {}))


class _Merge:
    """Graphs of one method at several sizes, made one."""

    def __init__(self, free: Sequence[Free], modules: Sequence[GraphModule]) -> None:
        self.free, self.modules = free, modules
        self.nodes = [list(module.graph.nodes) for module in modules]
        if len({len(nodes) for nodes in self.nodes}) > 1:
            raise _unsized("the number of operations depends on a size")
        self.number = {node: k for nodes in self.nodes for k, node in enumerate(nodes)}
        self.constants: dict[Node, Tensor] = {}

    def steps(self) -> list[Step]:
        """The operations."""
        found = []
        for nodes in zip(*self.nodes, strict=True):
            node: Node = nodes[0]
            if node.op == "output":
                continue
            if len({n.op for n in nodes}) > 1 or node.op != "get_attr" and len({n.target for n in nodes}) > 1:
                raise _unsized(f"{node.target} is done at some sizes only")
            if node.op == "get_attr":
                self.constants[node] = self._constant(nodes)
            args = tuple(self._merged([n.args[k] for n in nodes]) for k in range(len(node.args)))
            kwargs = {key: self._merged([n.kwargs[key] for n in nodes]) for key in node.kwargs}
            found.append(Step(node, args, kwargs, self._shape(nodes)))
        return found

    def outputs(self) -> list[Node]:
        """Nodes of the results."""
        (result,) = self.nodes[0][-1].args
        flat = list(result) if isinstance(result, list | tuple) else [result]
        if not all(isinstance(node, Node) for node in flat):
            raise _unsized("a result is no tensor")
        return flat

    def _constant(self, nodes: Sequence[Node]) -> Tensor:
        found = [getattr(m, str(n.target)) for m, n in zip(self.modules, nodes, strict=True)]
        first = found[0]
        if not isinstance(first, Tensor) or not all(t is first or torch.equal(t, first) for t in found[1:]):
            raise _unsized("a constant depends on a size")
        return first.detach()

    def _shape(self, nodes: Sequence[Node]) -> tuple[int | Size, ...] | None:
        if nodes[0] in self.constants:
            return tuple(self.constants[nodes[0]].shape)
        values = [n.meta.get("val") for n in nodes]
        if not all(isinstance(v, Tensor) for v in values):
            return None
        shapes = [tuple(v.shape) for v in values if isinstance(v, Tensor)]
        if len({len(s) for s in shapes}) > 1:
            raise _unsized("a number of dimensions depends on a size")
        return tuple(self._number(list(sizes)) for sizes in zip(*shapes, strict=True))

    def _merged(self, values: list[Any]) -> Any:
        first = values[0]
        if isinstance(first, Node):
            if len({self.number.get(v) for v in values}) > 1:
                raise _unsized("an operation takes something else at some sizes")
            return first
        if isinstance(first, list | tuple):
            if len({len(v) for v in values}) > 1:
                raise _unsized("a list is longer at some sizes")
            return [self._merged(list(items)) for items in zip(*values, strict=True)]
        if type(first) is int:
            return self._number(values)
        if any(v != first for v in values[1:]):
            raise _unsized("a number that is no size depends on a size")
        return first

    def _number(self, values: list[int]) -> int | Size:
        """A number at the example's sizes, then at one step more of each."""
        first = values[0]
        slopes = tuple(v - first for v in values[1:])
        if not any(slopes):
            return first
        grown = sum(s * free.count for s, free in zip(slopes, self.free, strict=True))
        return Size(first - grown, slopes)


def _unsized(why: str) -> ExportError:
    return ExportError("the method has no graph for all sizes", site="sizes of inputs", got=why)


def input_nodes(sized: Sized, functional: Functional) -> list[Node]:
    """The nodes of inputs, states and controls, in this order.

    Raises:
        ExportError: an input holds something that is no tensor.
    """
    nodes = [step.node for step in sized.steps if step.node.op == "placeholder"]
    inputs, states, controls = functional.arguments()
    tensors = [t for value in inputs.values() for _, t in walk(value)]
    if len(nodes) != len(tensors) + len(states) + len(controls):
        raise _unsized("an input holds something that is no tensor")
    return nodes
