"""What a capture leaves behind: the graph, its activations, and what the graph took for granted."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from torchbend.display.graph import graph_table
from torchbend.display.table import emit

__all__ = ["Address", "Activation", "FlowStep", "LogicalFlowStep", "LoopFlowStep", "CapturedGraph", "Capture"]

INPUT = "<input>"
OUTPUT = "<output>"
MODULE = "<module>"


@dataclass(frozen=True)
class Address:
    """Where an activation comes into being, in terms of the running program.

    Attributes:
        path: dotted path of the module whose code runs (empty for the traced method itself).
        call: which call of that module within the method, from 0.
        op: name of the torch operation, or ``"<module>"`` for the output of a leaf module,
            ``"<input>"`` for an argument of the method, ``"<output>"`` for what it returns.
        count: which occurrence of that operation within the module's call, from 0.
        part: where inside a nested value (a tuple's index, a dict's key), empty for the value itself.
    """

    path: str
    call: int
    op: str
    count: int = 0
    part: tuple[int | str, ...] = ()

    def __str__(self) -> str:
        where = self.path or "(method)"
        call = f" call {self.call}" if self.call else ""
        what = self.op if self.op in (INPUT, OUTPUT, MODULE) else f"{self.op} #{self.count}"
        part = "".join(f"[{p!r}]" for p in self.part)
        return f"{where}{call}: {what}{part}"


@dataclass(frozen=True)
class Activation:
    """One value of a captured method that can be looked at or bent.

    Attributes:
        name: the name of its node in the graph; ``lstm[0]`` for a part of a tuple.
        op: the node's opcode (``call_function``, ``call_module``, ...).
        target: what is called, as text.
        shape: its shape in the captured call.
        dtype: its dtype in the captured call.
        address: where the running program makes it; ``None`` for a value read from the module.
        source: file and line of the model's code that made it, ``"model.py:12"``.
        weight: for a value read from the module, the name of that weight or buffer.
    """

    name: str
    op: str
    target: str
    shape: torch.Size
    dtype: torch.dtype
    address: Address | None
    source: str = ""
    weight: str | None = None

    @property
    def module_path(self) -> str:
        """Dotted path of the module in whose code the activation is made."""
        return self.address.path if self.address is not None else ""


@dataclass(frozen=True)
class FlowStep:
    """Something that the program decided in Python, and that the graph therefore takes for granted.

    Attributes:
        kind: ``"branch"`` (a comparison or a truth value), ``"value"`` (a number read out of a tensor
            or a size), ``"loop"`` (the bounds of a ``range``), ``"count"`` (how many parts a result has),
            ``"argument"`` (an argument that is no tensor), ``"constant"`` (a tensor from code that
            cannot be seen).
        target: the function that was evaluated, or ``None`` for a constant.
        args: its arguments; graph nodes stand for values of the graph.
        expected: its result in the captured call.
        after: the last node that existed when the step was taken.
        source: file and line of the model's code.
    """

    kind: str
    target: Callable[..., Any] | None
    args: tuple[Any, ...]
    expected: Any
    after: fx.Node | None
    source: str = ""

    def __new__(cls, kind: str = "", *rest: Any, **named: Any) -> FlowStep:
        kinds = {"branch": LogicalFlowStep, "loop": LoopFlowStep}
        return object.__new__(kinds.get(kind, cls) if cls is FlowStep else cls)

    def __str__(self) -> str:
        if self.target is None:
            return f"{self.kind}: {self.args[0]} comes from code that cannot be seen ({self.source})"
        name = getattr(self.target, "__name__", str(self.target))
        args = ", ".join(str(a) for a in self.args)
        return f"{self.kind}: {name}({args}) == {_short(self.expected)} ({self.source})"


class LogicalFlowStep(FlowStep):
    """A flow step of kind ``"branch"``: a comparison or a truth value."""


class LoopFlowStep(FlowStep):
    """A flow step of kind ``"loop"``: the bounds of a ``range``, the length of a tensor."""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."


class CapturedGraph(fx.Graph):
    """A ``torch.fx.Graph`` that prints itself without further packages and lists its flow steps."""

    def __init__(self) -> None:
        super().__init__()
        self.flow_steps: list[FlowStep] = []

    def print_tabular(self) -> None:
        """Print one row per node: opcode, name, target, args, kwargs."""
        emit(graph_table(self))


@dataclass
class Capture:
    """One captured method.

    Attributes:
        method: name of the method.
        graph: the graph, with flow steps.
        activations: every tensor value by name, in program order.
        constants: tensors and objects that the graph holds itself, by the target of their node.
        inputs: names of the arguments that were given, in the order of the placeholders.
        fingerprints: of the inputs, where the graph holds constants that may depend on them.
        calls: for each module path, how often it was called.
        callees: for each module path whose code was seen, the paths of the modules it called.
    """

    method: str
    graph: CapturedGraph
    activations: dict[str, Activation] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    fingerprints: dict[str, str] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    callees: dict[str, set[str]] = field(default_factory=dict)

    def node(self, name: str) -> fx.Node:
        """The node called ``name`` (of a part such as ``lstm[0]``, the node of the whole)."""
        base = name.split("[", 1)[0].split(".", 1)[0]
        found: fx.Node | None = next((n for n in self.graph.nodes if n.name == base), None)
        if found is None:
            raise KeyError(name)
        return found

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state["graph"] = _flatten(self.graph)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.graph = _unflatten(state["graph"])

    def __deepcopy__(self, memo: dict[int, Any]) -> Capture:
        copied = Capture.__new__(Capture)
        memo[id(self)] = copied
        copied.__setstate__(self.__getstate__())
        return copied


@dataclass(frozen=True)
class _Ref:
    """Stands for a node in a flattened graph (a linked list of nodes would pickle recursively)."""

    name: str


def _flatten(graph: CapturedGraph) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    def ref(value: Any) -> Any:
        return _Ref(value.name) if isinstance(value, fx.Node) else value

    def refs(value: Any) -> Any:
        return fx.node.map_aggregate(value, ref)

    nodes = [(n.op, _target_out(n.target), refs(n.args), refs(n.kwargs), n.name) for n in graph.nodes]
    steps = [
        (s.kind, s.target, refs(s.args), s.expected, None if s.after is None else s.after.name, s.source)
        for s in graph.flow_steps
    ]
    return nodes, steps


def _unflatten(flat: tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]) -> CapturedGraph:
    graph = CapturedGraph()
    known: dict[str, fx.Node] = {}

    def nodes_of(value: Any) -> Any:
        return fx.node.map_aggregate(value, lambda a: known[a.name] if isinstance(a, _Ref) else a)

    for op, target, args, kwargs, name in flat[0]:
        known[name] = graph.create_node(op, _target_in(target), nodes_of(args), nodes_of(kwargs), name=name)
    for kind, target, args, expected, after, source in flat[1]:
        step = FlowStep(kind, target, nodes_of(args), expected, known.get(after), source)
        graph.flow_steps.append(step)
    return graph


@dataclass(frozen=True)
class _TorchBuiltin:
    """A builtin of torch by name: its own pickling refers to a class that has no importable name."""

    owner: str
    name: str


_OWNERS: dict[str, Any] = {
    "torch": torch,
    "torch.nn.functional": torch.nn.functional,
    "torch._C._nn": torch._C._nn,
    "torch.fft": torch.fft,
    "torch.linalg": torch.linalg,
    "torch.special": torch.special,
    "operator": operator,
}


def _target_out(target: Any) -> Any:
    name = getattr(target, "__name__", None)
    if name is None or isinstance(target, type):
        return target
    for owner, namespace in _OWNERS.items():
        if getattr(namespace, name, None) is target:
            return _TorchBuiltin(owner, name)
    return target


def _target_in(target: Any) -> Any:
    return getattr(_OWNERS[target.owner], target.name) if isinstance(target, _TorchBuiltin) else target
