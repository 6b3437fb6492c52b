"""Run a method once, for real, and write down every torch call that it makes."""

from __future__ import annotations

import operator
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

import torch
from torch import fx, nn
from torch.overrides import TorchFunctionMode

from torchbend.capture import sizes
from torchbend.capture.graph import Activation, Address, CapturedGraph, FlowStep
from torchbend.capture.lookahead import Lookahead, model_frame, source_line
from torchbend.capture.operators import OPERATORS, WRAPPED, WRITTEN, is_in_place, op_key
from torchbend.capture.preserve import Preserved
from torchbend.capture.sizes import TracedFloat, TracedInt, plain
from torchbend.capture.structure import walk
from torchbend.capture.unseen import made_since_the_capture_began

__all__ = ["Recorder"]

_UNSEEN = {"__hash__", "__repr__", "__str__", "__format__", "__dir__", "__reduce_ex__"}
_READ_OUT = {"__bool__", "__int__", "__float__", "__complex__", "__index__", "__contains__", "__array__"}
_READ_OUT |= {"item", "tolist", "numpy", "equal", "allclose", "is_nonzero"}
_CONVERTERS: dict[str, Callable[..., Any]] = {
    "__bool__": bool,
    "__int__": int,
    "__float__": float,
    "__complex__": complex,
    "__index__": operator.index,
    "__contains__": operator.contains,
    "__array__": torch.Tensor.numpy,
}


Call = tuple[str, Any, tuple[Any, ...], dict[str, Any]]


class _Frame:
    """One call of a module whose code is being seen; counts its operations."""

    def __init__(self, path: str, call: int) -> None:
        self.path, self.call = path, call
        self.counts: dict[str, int] = {}

    def address(self, key: str) -> Address:
        count = self.counts.get(key, 0)
        self.counts[key] = count + 1
        return Address(self.path, self.call, key, count)


class Recorder(TorchFunctionMode):
    """The function mode that turns torch calls into nodes of a ``torch.fx`` graph.

    Tensors are known by identity and held weakly: holding each of them would keep the memory of all
    activations alive and slow the run severalfold.
    """

    def __init__(self, parts: Sequence[tuple[str, nn.Module]], preserved: Preserved) -> None:
        super().__init__()
        self.graph = CapturedGraph()
        self.activations: dict[str, Activation] = {}
        self.constants: dict[str, Any] = {}
        self.reflected = False
        self.frames: list[_Frame] = [_Frame("", 0)]
        self.hidden = 0
        self.closed = False
        self._thread = threading.get_ident()
        self._preserved = preserved
        self._lookahead = Lookahead()
        self._tensors: dict[int, tuple[weakref.ref[torch.Tensor], Any]] = {}
        self._devices: dict[int, tuple[torch.device, fx.Node]] = {}
        self._part_counts: dict[fx.Node, int] = {}
        self._named: dict[int, tuple[str, torch.Tensor]] = {}
        self._weights: set[str] = set()
        self._index_names(parts)

    def _index_names(self, parts: Sequence[tuple[str, nn.Module]]) -> None:
        """Names of weights and buffers first, then of tensors that are plain attributes."""
        plain_attributes: list[tuple[str, torch.Tensor]] = []
        for path, part in parts:
            prefix = f"{path}." if path else ""
            for held in (part._parameters, part._buffers):
                for name, tensor in held.items():
                    if tensor is not None:
                        self._named.setdefault(id(tensor), (prefix + name, tensor))
                        self._weights.add(prefix + name)
            if not isinstance(part, torch.jit.ScriptModule):
                attributes = part.__dict__.items()
                plain_attributes += [(prefix + n, v) for n, v in attributes if isinstance(v, torch.Tensor)]
        for name, tensor in plain_attributes:
            self._named.setdefault(id(tensor), (name, tensor))
            self._weights.add(name)

    @property
    def recording(self) -> bool:
        """Whether what happens now belongs to the program's visible code."""
        return not self.hidden and not self.closed and threading.get_ident() == self._thread

    # -- calls of torch -----------------------------------------------------------------------------

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if not self.recording or torch._C._functorch.peek_interpreter_stack() is not None:
            return func(*args, **kwargs)
        key = op_key(func)
        if key in _UNSEEN:
            return self._run(func, args, kwargs)
        if key == "_set_grad_enabled":
            return self._gradients(func, args)
        if key.endswith(".__get__"):
            return self._property(func, key, args)
        inside = self.frames[-1].address(key)
        in_place = is_in_place(key, kwargs)
        if in_place:
            self._preserved.before_write(args[0] if args else None)
            self._preserved.before_write(kwargs.get("out"))
        call = self._call_of(func, key, sys._getframe(1), args, kwargs)
        result = self._run(func, args, kwargs)
        if key in _READ_OUT:
            return self._read_out(key, call, result)
        if key == "__len__":
            self.flow("loop", len, args, result)
            return result
        if isinstance(result, (bool, str, torch.dtype)) or (result is None and not in_place):
            return result
        if not in_place:
            result = self._distinct(result, (*args, *kwargs.values()))
        return self._made(result, call, inside)

    def _gradients(self, func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """A model that takes gradients inside: where it switches them on and off is part of the program."""
        before = torch.is_grad_enabled()
        self._run(func, args, {})
        if torch.is_grad_enabled() is not before:
            self.create("call_function", torch._C._set_grad_enabled, args, {})

    def _run(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.hidden += 1
        try:
            return func(*args, **kwargs)
        finally:
            self.hidden -= 1

    def _call_of(
        self,
        func: Callable[..., Any],
        key: str,
        caller: FrameType,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> tuple[str, Any, tuple[Any, ...], dict[str, Any]]:
        """The call as a node's opcode, target, args and kwargs."""
        nodes = self._each_of(args), self._nodes_of(kwargs) if kwargs else {}
        if not kwargs:
            if key in WRITTEN:
                written, reverse = WRITTEN[key]
                return "call_function", written, nodes[0][::-1] if reverse else nodes[0], {}
            if self.reflected:
                self.reflected = False
                return "call_function", getattr(operator, key), nodes[0][::-1], {}
            found = WRAPPED.get(func) or self._lookahead.operator(caller, key) if key in OPERATORS else None
            if found is not None:
                return "call_function", found, nodes[0], {}
        if key in ("__getitem__", "__setitem__"):
            return "call_function", getattr(operator, key.strip("_")), *nodes
        if key in _CONVERTERS:
            return "call_function", _CONVERTERS[key], *nodes
        if key.endswith(".__set__"):
            return "call_function", setattr, (nodes[0][0], key.split(".")[0], nodes[0][1]), {}
        if args and isinstance(args[0], torch.Tensor) and _is_method(func, key):
            return "call_method", key, *nodes
        return "call_function", func, *nodes

    def scripted(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a scripted function: one node. Nothing finds it again in a running program, so it is no
        site; what the program does with its result is."""
        nodes = self._each_of(args), self._nodes_of(kwargs)
        result = self._run(function, args, kwargs)
        frame = model_frame()
        name = getattr(function, "name", None)
        node = self.create("call_function", function, *nodes, name=name if isinstance(name, str) else None)
        self.register(result, node, None, source_line(frame))
        if isinstance(result, tuple):
            self._read_ahead(result, node, frame)
        return result

    def _property(self, func: Callable[..., Any], key: str, args: tuple[Any, ...]) -> Any:
        tensor, name = args[0], key.split(".")[0]
        result = self._run(func, args, {})
        node: list[fx.Node] = []

        def read() -> fx.Node:
            if not node:
                node.append(self.create("call_function", getattr, (self.node_of(tensor), name), {}))
            return node[0]

        if key == "shape.__get__":
            return self._sizes(result, read)
        if key == "ndim.__get__":
            return sizes.traced_number(self, result, read)
        if isinstance(result, torch.device):
            self._devices[id(result)] = (result, read())
        elif isinstance(result, torch.Tensor):
            inside = self.frames[-1].address(key)
            call: Call = ("call_function", getattr, (self.node_of(tensor), name), {})
            return self._made(self._distinct(result, args), call, inside)
        return result

    def _sizes(self, shape: torch.Size, read: Callable[[], fx.Node]) -> torch.Size:
        """``shape`` with elements that remember their nodes."""

        def part(k: int) -> Callable[[], fx.Node]:
            return lambda: self.create("call_function", operator.getitem, (read(), k), {})

        traced = [sizes.traced_number(self, n, part(k)) for k, n in enumerate(shape)]
        for k in self._lookahead.parts(model_frame()):
            if isinstance(k, int) and -len(traced) <= k < len(traced):
                number = traced[k]
                if isinstance(number, TracedInt):
                    number._node = part(k)()  # made now, in the order of the program
        remembering: Any = traced
        return torch.Size(remembering)

    def _read_out(self, key: str, call: tuple[Any, ...], result: Any) -> Any:
        """A value leaves the tensors: what Python does with it from here is a flow step."""
        op, target, args, kwargs = call
        if op == "call_method" or kwargs:
            node = self.create(op, target, args, kwargs)
            self.flow("value", _same, (node,), _kept(result))
        else:
            self.flow("branch" if key == "__bool__" else "value", target, args, _kept(result))
        return result

    # -- results ------------------------------------------------------------------------------------

    def _distinct(self, result: Any, args: tuple[Any, ...]) -> Any:
        """A call that hands its argument back (``contiguous()``, ``to()``) gets a name of its own."""
        if isinstance(result, torch.Tensor) and any(result is a for a in args):
            return self._run(torch.Tensor.detach, (result,), {})
        return result

    def _made(self, result: Any, call: tuple[Any, ...], inside: Address) -> Any:
        if isinstance(result, torch.Size):
            node = self.create(*call)
            return self._sizes(result, lambda: node)
        if isinstance(result, (int, float)):
            node = self.create(*call)
            return sizes.traced_number(self, result, lambda: node)
        frame = model_frame()
        node = self.create(*call)
        if type(result) in (list, tuple):
            self.flow("count", len, (node,), len(result), frame)
        self.register(result, node, inside, source_line(frame))
        if not isinstance(result, torch.Tensor):
            self._read_ahead(result, node, frame)
        return result

    def _read_ahead(self, result: Any, node: fx.Node, frame: Any) -> None:
        """Make ``getitem`` nodes for the parts that the next instruction takes."""
        for key in self._lookahead.parts(frame):
            if isinstance(key, str):
                part = getattr(result, key, None)
            elif isinstance(result, (list, tuple)) and -len(result) <= key < len(result):
                part = result[key]
            else:
                part = None
            if isinstance(part, (torch.Tensor, tuple)):
                self._reach(part, key, node)

    def _reach(self, part: Any, key: int | str, node: fx.Node) -> None:
        target = getattr if isinstance(key, str) else operator.getitem
        reached = self.create("call_function", target, (node, key), {})
        for tensor, steps, address in self._parts_of(part, node):
            rest = steps[1:]
            self._remember(tensor, ("part", reached, rest, address) if rest else reached)
            if not rest and isinstance(tensor, torch.Tensor):
                self._list(reached, tensor, address, "")

    def _parts_of(self, part: Any, node: fx.Node) -> list[tuple[torch.Tensor, tuple[Any, ...], Any]]:
        found = []
        for _, tensor in walk(part):
            entry = self._entry(tensor)
            if isinstance(entry, tuple) and entry[1] is node:
                found.append((tensor, entry[2], entry[3]))
        return found

    def register(self, result: Any, node: fx.Node, address: Address | None, source: str) -> None:
        """Remember which tensors inside ``result`` are the value of ``node``, or parts of it."""
        if isinstance(result, torch.Tensor):
            self._remember(result, node)
            self._list(node, result, address, source)
            return
        parts = list(walk(result))
        self._part_counts[node] = len(parts)
        for path, tensor in parts:
            name = node.name + part_name(path)
            inside = None if address is None else replace(address, part=(*address.part, *path))
            self._list(node, tensor, inside, source, name)
            self._remember(tensor, ("part", node, path, inside))

    def _list(
        self,
        node: fx.Node,
        tensor: torch.Tensor,
        address: Address | None,
        source: str,
        name: str | None = None,
    ) -> None:
        """Write ``tensor`` into the list of activations; a constant of the graph is none."""
        name = name or node.name
        weight = str(node.target) if node.op == "get_attr" and node.target in self._weights else None
        if address is None and weight is None:
            return
        shape, dtype = self._run(_form, (tensor,), {})
        self.activations[name] = Activation(
            name, node.op, _text(node.target), shape, dtype, address, source, weight
        )

    def _remember(self, tensor: torch.Tensor, entry: Any) -> None:
        self._tensors[id(tensor)] = (weakref.ref(tensor), entry)

    def _entry(self, tensor: torch.Tensor) -> Any:
        known = self._tensors.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else None

    # -- nodes --------------------------------------------------------------------------------------

    def create(
        self, op: str, target: Any, args: Any = (), kwargs: Any = None, name: str | None = None
    ) -> fx.Node:
        """A new node at the end of the graph, named as torch.fx names it."""
        if name is None and op == "call_function" and target in _PLAIN_NAMES:
            name = _PLAIN_NAMES[target]
        return self.graph.create_node(op, target, args, kwargs or {}, name=name)

    def number(self, op: Callable[..., Any], args: tuple[Any, ...], result: Any) -> int | float:
        """Arithmetic on traced numbers: a node and a number that remembers it."""
        node = self.create("call_function", op, self._each_of(args), {})
        return sizes.traced_number(self, result, lambda: node)

    def flow(self, kind: str, target: Any, args: tuple[Any, ...], expected: Any, frame: Any = None) -> None:
        """Write down a decision of the program."""
        nodes = self._each_of(args)
        after = next(iter(reversed(self.graph.nodes)), None)
        source = source_line(frame if frame is not None else model_frame())
        self.graph.flow_steps.append(FlowStep(kind, target, nodes, expected, after, source))

    def node_of(self, tensor: torch.Tensor) -> fx.Node:
        """The node whose value ``tensor`` is: known, read from the module, or a new constant."""
        entry = self._entry(tensor)
        if isinstance(entry, fx.Node):
            return entry
        if entry is not None:
            return self._part(tensor, entry)
        named = self._named.get(id(tensor))
        if named is not None and named[1] is tensor:
            node = self.create("get_attr", named[0])
            self._remember(tensor, node)
            self._list(node, tensor, None, source_line(model_frame()))
            return node
        return self._constant(tensor)

    def _part(self, tensor: torch.Tensor, entry: tuple[Any, ...]) -> fx.Node:
        node: fx.Node = entry[1]
        _, _, path, address = entry
        for key in path:
            if isinstance(key, str) and key.startswith("."):
                node = self.create("call_function", getattr, (node, key[1:]), {})
            else:
                node = self.create("call_function", operator.getitem, (node, key), {})
        self._remember(tensor, node)
        self._list(node, tensor, address, source_line(model_frame()))
        return node

    def _constant(self, value: Any) -> fx.Node:
        tensor = isinstance(value, torch.Tensor)
        stem = "_tensor_constant" if tensor else "_constant"
        target = f"{stem}{sum(k.startswith(stem) for k in self.constants)}"
        self.constants[target] = self._run(_copied, (value,), {}) if tensor else value
        node = self.create("get_attr", target)
        if tensor:
            self._remember(value, node)
            if made_since_the_capture_began(value):
                self.flow("constant", None, (target,), None)
        return node

    def _each_of(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments of a call, each replaced by nodes where it holds tensors."""
        return tuple(self._nodes_of(a) for a in args)

    def _nodes_of(self, value: Any) -> Any:
        """``value`` with tensors and traced numbers replaced by nodes."""
        if isinstance(value, torch.Tensor):
            return self.node_of(value)
        if isinstance(value, (TracedInt, TracedFloat)):
            # a cache of the program may hand out a number that an earlier capture left there
            return value.node if value._recorder is self else plain(value)
        if isinstance(value, fx.Node) or value is None or isinstance(value, (bool, int, float, str, complex)):
            return value
        if isinstance(value, (tuple, list)):
            return self._sequence(value)
        if isinstance(value, dict):
            return {k: self._nodes_of(v) for k, v in value.items()}
        if isinstance(value, slice):
            return slice(*(self._nodes_of(v) for v in (value.start, value.stop, value.step)))
        if isinstance(value, torch.device) and id(value) in self._devices:
            return self._devices[id(value)][1]
        if isinstance(value, _REPRESENTABLE) or callable(value):
            return value
        return self._constant(value)

    def _sequence(self, value: Any) -> Any:
        whole = self._whole(value)
        if whole is not None:
            return whole
        items = [self._nodes_of(v) for v in value]
        return items if isinstance(value, list) else tuple(items)

    def _whole(self, value: Any) -> fx.Node | None:
        """The node whose parts, all and in order, ``value`` holds: ``torch.cat(x.chunk(2))``."""
        if not value or not all(isinstance(v, torch.Tensor) for v in value):
            return None
        entries = [self._entry(v) for v in value]
        first = entries[0]
        if not isinstance(first, tuple):
            return None
        node = first[1]
        if any(not isinstance(e, tuple) or e[1] is not node or e[2] != (k,) for k, e in enumerate(entries)):
            return None
        return node if self._part_counts.get(node) == len(entries) else None


def part_name(path: tuple[int | str, ...]) -> str:
    """How a part is written behind its activation's name: ``[0]``, ``['x']``, ``.values``."""
    return "".join(p if isinstance(p, str) and p.startswith(".") else f"[{p!r}]" for p in path)


def _is_method(func: Callable[..., Any], key: str) -> bool:
    owner = getattr(torch.Tensor, key, None)
    return owner is func or type(func).__name__ in ("method_descriptor", "wrapper_descriptor")


def _text(target: Any) -> str:
    return target if isinstance(target, str) else str(getattr(target, "__name__", target))


def _form(tensor: torch.Tensor) -> tuple[torch.Size, torch.dtype]:
    return torch.Size(tensor.shape), tensor.dtype


def _same(value: Any) -> Any:
    return value


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().clone()


def _kept(result: Any) -> Any:
    """A copy that later writes do not change (numpy shares its memory with the tensor)."""
    return result.copy() if hasattr(result, "__array_interface__") else result


_REPRESENTABLE = (torch.dtype, torch.device, torch.layout, torch.memory_format, type(...), range)
_PLAIN_NAMES: dict[Any, str] = {
    getattr(operator, f"i{name}"): name
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "matmul", "lshift", "rshift")
}
_PLAIN_NAMES[operator.ipow] = "pow"
