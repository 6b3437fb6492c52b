"""Which tensor is the value of which node: the book that a recorder keeps."""

from __future__ import annotations

import operator
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import fx, nn

from torchbend.capture import sizes
from torchbend.capture.graph import Activation, Address, CapturedGraph, FlowStep
from torchbend.capture.lookahead import model_frame, source_line
from torchbend.capture.preserve import INTERNAL
from torchbend.capture.sizes import TracedFloat, TracedInt, plain
from torchbend.capture.structure import walk
from torchbend.capture.unseen import made_since_the_capture_began

__all__ = ["Ledger"]

_REPRESENTABLE = (torch.dtype, torch.device, torch.layout, torch.memory_format, type(...), range)
_PLAIN_NAMES: dict[Any, str] = {
    getattr(operator, f"i{name}"): name
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "matmul", "lshift", "rshift")
}
_PLAIN_NAMES[operator.ipow] = "pow"


class Ledger:
    """A ``torch.fx`` graph in the making, and the tensors and numbers that its nodes stand for.

    Tensors are known by identity and held weakly: holding each of them would keep the memory of all
    activations alive and slow the run severalfold.

    Args:
        parts: all modules by path; their weights and buffers are known by name.

    Attributes:
        graph: the graph.
        activations: what can be looked at or bent, by name.
        constants: what the graph holds itself, by the target of its node.
        hidden: above 0 while code runs that is not the program's own, or inside of a single node.
        closed: whether the capture is over.
    """

    def __init__(self, parts: Sequence[tuple[str, nn.Module]]) -> None:
        super().__init__()
        self.graph = CapturedGraph()
        self.activations: dict[str, Activation] = {}
        self.constants: dict[str, Any] = {}
        self.hidden = 0
        self.closed = False
        self._thread = threading.get_ident()
        self._tensors: dict[int, tuple[weakref.ref[torch.Tensor], Any]] = {}
        self._devices: dict[int, tuple[torch.device, fx.Node]] = {}
        self._part_counts: dict[fx.Node, int] = {}
        self._named: dict[int, tuple[str, torch.Tensor]] = {}
        self._weights: set[str] = set()
        self._hooked = [(path, part) for path, part in parts if "_hf_hook" in vars(part)]
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
                own = [(n, v) for n, v in part.__dict__.items() if n not in INTERNAL]
                plain_attributes += [(prefix + n, v) for n, v in own if isinstance(v, torch.Tensor)]
            for name in getattr(part, "computed_weights", ()):
                plain_attributes.append((prefix + name, getattr(part, name)))
        for name, tensor in plain_attributes:
            self._named.setdefault(id(tensor), (name, tensor))
            self._weights.add(name)

    @property
    def recording(self) -> bool:
        """Whether what happens now belongs to the program's visible code."""
        return not self.hidden and not self.closed and threading.get_ident() == self._thread

    def unseen(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call ``func`` without recording what it does inside."""
        self.hidden += 1
        try:
            return func(*args, **kwargs)
        finally:
            self.hidden -= 1

    # -- nodes --------------------------------------------------------------------------------------

    def stands_for(self, device: torch.device, node: fx.Node) -> None:
        """Remember where a device was read, so that it is read again at replay."""
        self._devices[id(device)] = (device, node)

    def create(
        self, op: str, target: Any, args: Any = (), kwargs: Any = None, name: str | None = None
    ) -> fx.Node:
        """A new node at the end of the graph, named as torch.fx names it."""
        if name is None and op == "call_function" and target in _PLAIN_NAMES:
            name = _PLAIN_NAMES[target]
        node = self.graph.create_node(op, target, name=name)
        node.args = args  # set apart: the graph would search them for symbolic sizes, which takes long
        if kwargs:
            node.kwargs = kwargs
        return node

    def number(self, op: Callable[..., Any], args: tuple[Any, ...], result: Any) -> int | float:
        """Arithmetic on traced numbers: a node and a number that remembers it."""
        node = self.create("call_function", op, self.each_of(args), {})
        return sizes.traced_number(self, result, lambda: node)

    def flow(self, kind: str, target: Any, args: tuple[Any, ...], expected: Any, frame: Any = None) -> None:
        """Write down a decision of the program."""
        nodes = self.each_of(args)
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
        brought = self._brought_in(tensor) if self._hooked else None
        if brought is not None:
            node = self.create("get_attr", brought)
            self._remember(tensor, node)
            self._list(node, tensor, None, source_line(model_frame()))
            return node
        return self._constant(tensor)

    def _brought_in(self, tensor: torch.Tensor) -> str | None:
        """The name of a weight that a hook has just brought in (see `elsewhere`)."""
        for path, part in self._hooked:
            for name, held in part._parameters.items():
                if held is tensor:
                    return f"{path}.{name}" if path else name
        return None

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
        self.constants[target] = self.unseen(_copied, (value,), {}) if tensor else value
        node = self.create("get_attr", target)
        if tensor:
            self._remember(value, node)
            if made_since_the_capture_began(value):
                self.flow("constant", None, (target,), None)
        return node

    def each_of(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments of a call, each replaced by nodes where it holds tensors."""
        return tuple(self.nodes_of(a) for a in args)

    def nodes_of(self, value: Any) -> Any:
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
            return {k: self.nodes_of(v) for k, v in value.items()}
        if isinstance(value, slice):
            return slice(*(self.nodes_of(v) for v in (value.start, value.stop, value.step)))
        if isinstance(value, torch.device) and id(value) in self._devices:
            return self._devices[id(value)][1]
        if isinstance(value, _REPRESENTABLE) or callable(value):
            return value
        return self._constant(value)

    def _sequence(self, value: Any) -> Any:
        whole = self._whole(value)
        if whole is not None:
            return whole
        items = [self.nodes_of(v) for v in value]
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

    # -- values -------------------------------------------------------------------------------------

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
        with torch._C.DisableTorchFunction():
            shape, dtype = torch.Size(tensor.shape), tensor.dtype
        self.activations[name] = Activation(
            name, node.op, _text(node.target), shape, dtype, address, source, weight
        )

    def _remember(self, tensor: torch.Tensor, entry: Any) -> None:
        self._tensors[id(tensor)] = (weakref.ref(tensor), entry)

    def _entry(self, tensor: torch.Tensor) -> Any:
        known = self._tensors.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else None

    def reach(self, part: Any, key: int | str, node: fx.Node) -> None:
        """Make the node that reads ``part`` out of the value of ``node``, by index or by attribute."""
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


def part_name(path: tuple[int | str, ...]) -> str:
    """How a part is written behind its activation's name: ``[0]``, ``['x']``, ``.values``."""
    return "".join(p if isinstance(p, str) and p.startswith(".") else f"[{p!r}]" for p in path)


def _text(target: Any) -> str:
    return target if isinstance(target, str) else str(getattr(target, "__name__", target))


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().clone()
