"""Write a traced method as an ONNX graph, operation by operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
import torch
from onnx_ir import tensor_adapters
from torch import Tensor
from torch.fx import Node

from torchbend.errors import ExportError
from torchbend.export.sized import Size, Sized, Step

__all__ = ["Complex", "Handler", "Writer", "unwritable", "written"]

Handler = Callable[..., Any]
"""Writes an operation: takes a `Writer`, a `Step` and the operation's arguments; gives its results."""

_IGNORED = ("layout", "device", "pin_memory", "memory_format", "dtype", "non_blocking")


@dataclass(frozen=True)
class Complex:
    """A complex value. ``imag`` is None where it is zero."""

    real: Any
    imag: Any


def unwritable(what: str) -> ExportError:
    """The error for what has no way to ONNX here."""
    return ExportError("an operation cannot be written to ONNX", site=what)


def written(sized: Sized, inputs: Sequence[Node], handlers: Mapping[str, Handler], opset: int) -> ir.Model:
    """The model, with nameless inputs and outputs.

    What can be computed from constants alone is computed now.

    Args:
        sized: the graph.
        inputs: nodes of its inputs, in order.
        handlers: what writes an operation, by its name.
        opset: version of ONNX's operators.

    Raises:
        ExportError: an operation has no counterpart.
    """
    writer = Writer(sized, opset)
    for step in sized.steps:
        writer.write(step, handlers)
    outputs = writer.outputs(sized.outputs)
    into = [writer.input_of[node] for node in inputs]
    graph = ir.Graph(into, outputs, nodes=writer.nodes, opset_imports={"": opset}, name="torchbend")
    for value in writer.constants:
        graph.register_initializer(value)
    return ir.Model(graph, ir_version=10)


class Writer:
    """A graph in the making.

    Attributes:
        opset: version of the operators.
        nodes: what has been written.
        constants: tensors that are in the file.
        input_of: the graph's input of each input node.
    """

    def __init__(self, sized: Sized, opset: int) -> None:
        self.sized, self.opset = sized, opset
        self.nodes: list[ir.Node] = []
        self.constants: list[ir.Value] = []
        self.input_of: dict[Node, ir.Value] = {}
        self.results: dict[Node, Any] = {}
        self._shapes: dict[ir.Value, tuple[int | Size, ...]] = {}
        self._dtypes: dict[ir.Value, torch.dtype] = {}
        self._held: dict[int, tuple[Tensor, ir.Value]] = {}
        self._numbers: dict[tuple[int, ...], ir.Value] = {}
        self._sizes: dict[Size, ir.Value] = {}
        self._counts: dict[int, ir.Value] = {}

    # -- steps -----------------------------------------------------------------------------------------------

    def write(self, step: Step, handlers: Mapping[str, Handler]) -> None:
        """Write one step.

        Raises:
            ExportError: it cannot be.
        """
        node = step.node
        if node.op == "placeholder":
            self.results[node] = self.input_of[node] = self._input(step)
        elif node.op == "get_attr":
            self.results[node] = self.sized.constants[node]
        elif node.op == "call_function":
            args = tuple(self._given(a) for a in step.args)
            kwargs = {k: self._given(a) for k, a in step.kwargs.items()}
            self.results[node] = self._called(step, args, kwargs, handlers)
        else:
            raise unwritable(str(node.target))

    def _called(
        self, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any], handlers: Mapping[str, Handler]
    ) -> Any:
        name = str(step.node.target)
        if getattr(step.node.target, "__name__", "") == "getitem":
            return args[0][args[1]]
        if _constant(step.node.target, args, kwargs):
            return step.node.target(*args, **kwargs)  # type: ignore[operator]
        handler = handlers.get(name)
        if handler is None:
            raise unwritable(name)
        kept = {k: v for k, v in kwargs.items() if k not in _IGNORED}
        try:
            made = handler(self, step, *args, **kept)
        except (
            TypeError,
            ValueError,
            LookupError,
            AttributeError,
        ) as error:  # arguments that it does not know
            raise unwritable(f"{name}: {error}") from error
        if isinstance(made, Complex):
            for part in (made.real, made.imag):
                self.know(part, step.shape or (), step.node.meta["val"].real.dtype)
        elif isinstance(made, ir.Value) and made not in self._shapes:
            self._know(made, step)
        return made

    def _know(self, value: ir.Value, step: Step) -> None:
        if step.shape is None:
            raise unwritable(str(step.node.target))
        self.know(value, step.shape, step.node.meta["val"].dtype)

    def know(self, value: Any, shape: Sequence[int | Size], dtype: torch.dtype) -> None:
        """Remember what a value is."""
        if not isinstance(value, ir.Value):
            return
        self._shapes[value], self._dtypes[value] = tuple(shape), dtype
        value.shape = ir.Shape([n if isinstance(n, int) else None for n in shape])
        value.type = ir.TensorType(tensor_adapters.from_torch_dtype(dtype))

    def _input(self, step: Step) -> ir.Value:
        value = ir.Value(name=step.node.name)
        self._know(value, step)
        names = [f"n{k}" for k in range(len(self.sized.free))]
        dims: list[Any] = list(step.shape or ())
        for k, size in enumerate(dims):
            if isinstance(size, Size):
                number = size.slopes.index(max(size.slopes))
                dims[k] = (
                    names[number] if size.slopes[number] == 1 else f"{size.slopes[number]}*{names[number]}"
                )
        value.shape = ir.Shape(dims)
        return value

    def _given(self, argument: Any) -> Any:
        if isinstance(argument, Node):
            return self.results[argument]
        if isinstance(argument, list | tuple):
            return [self._given(a) for a in argument]
        return argument

    def outputs(self, nodes: Sequence[Node]) -> list[ir.Value]:
        """The values of results: each of its own, computed in the graph."""
        found = []
        for node in nodes:
            step = next(s for s in self.sized.steps if s.node is node)
            value = self.op("Identity", self.results[node])
            self._know(value, step)
            found.append(value)
        return found

    # -- values ----------------------------------------------------------------------------------------------

    def op(self, kind: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Write an operator of ONNX; gives its value, or a list of them.

        Args:
            kind: name of the operator.
            inputs: values, or tensors that become constants, or None.
            outputs: how many.
            attributes: of the operator.
        """
        values = [self.constant(v) if isinstance(v, Tensor) else v for v in inputs]
        node = ir.node(kind, values, attributes, num_outputs=outputs)
        for k, value in enumerate(node.outputs):
            value.name = f"v{len(self.nodes)}_{k}"
        node.name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(node)
        return node.outputs[0] if outputs == 1 else list(node.outputs)

    def constant(self, tensor: Tensor) -> ir.Value:
        """A tensor that is in the file."""
        if id(tensor) not in self._held:
            name = f"c{len(self.constants)}"
            held = tensor_adapters.TorchTensor(tensor.detach().cpu().contiguous(), name=name)
            value = ir.Value(name=name, const_value=held, shape=held.shape, type=ir.TensorType(held.dtype))
            self.constants.append(value)
            self._held[id(tensor)] = (tensor, value)
        return self._held[id(tensor)][1]

    def whole(self, *numbers: int) -> ir.Value:
        """Whole numbers side by side."""
        if numbers not in self._numbers:
            self._numbers[numbers] = self.constant(torch.tensor(numbers, dtype=torch.int64))
        return self._numbers[numbers]

    def sizes(self, sizes: Sequence[int | Size]) -> ir.Value:
        """Sizes side by side."""
        if all(isinstance(size, int) for size in sizes):
            return self.whole(*(size for size in sizes if isinstance(size, int)))
        parts = [self.whole(s) if isinstance(s, int) else self._size(s) for s in sizes]
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=0)

    def _size(self, size: Size) -> ir.Value:
        if size not in self._sizes:
            total: ir.Value | None = None
            for number, slope in enumerate(size.slopes):
                if slope:
                    part = self._count(number)
                    part = part if slope == 1 else self.op("Mul", part, self.whole(slope))
                    total = part if total is None else self.op("Add", total, part)
            if size.constant:
                total = self.op("Add", total, self.whole(size.constant))
            self._sizes[size] = self.whole(size.constant) if total is None else total
        return self._sizes[size]

    def _count(self, number: int) -> ir.Value:
        """How many steps a free size has."""
        if number not in self._counts:
            free = self.sized.free[number]
            shape = [tuple(s.shape or ()) for s in self.sized.steps if s.node.op == "placeholder"]
            nodes = list(self.input_of)
            at = next(k for k, dims in enumerate(shape) if _is_free(dims, free.dim, number))
            value = self.op("Shape", self.input_of[nodes[at]], start=free.dim, end=free.dim + 1)
            if free.multiple > 1:
                value = self.op("Div", value, self.whole(free.multiple))
            self._counts[number] = value
        return self._counts[number]

    def shape(self, value: Any) -> tuple[int | Size, ...]:
        """Sizes of a value."""
        return tuple(value.shape) if isinstance(value, Tensor) else self._shapes[value]

    def dtype(self, value: Any) -> torch.dtype:
        """Kind of numbers of a value."""
        return value.dtype if isinstance(value, Tensor) else self._dtypes[value]

    def to(self, value: Any, dtype: torch.dtype) -> Any:
        """A value, a tensor or a number as another kind of numbers."""
        if not isinstance(value, Tensor | ir.Value):
            return torch.tensor(value, dtype=dtype)
        if self.dtype(value) == dtype:
            return value
        if isinstance(value, Tensor):
            return value.to(dtype)
        made = self.op("Cast", value, to=int(tensor_adapters.from_torch_dtype(dtype)))
        self._shapes[made], self._dtypes[made] = self._shapes[value], dtype
        return made


def _is_free(dims: Sequence[int | Size], dim: int, number: int) -> bool:
    size = dims[dim] if dim < len(dims) else 0
    return isinstance(size, Size) and size.slopes[number] != 0


def _constant(target: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether the result is the same in each run."""
    if not isinstance(target, torch._ops.OpOverload) or torch.Tag.nondeterministic_seeded in target.tags:
        return False
    return all(_known(value) for value in (*args, *kwargs.values()))


def _known(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_known(v) for v in value)
    return not isinstance(value, ir.Value | Size | Complex)
