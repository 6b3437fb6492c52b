"""A captured graph as a ``torch.fx.GraphModule``: generated code that can be called, read and edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from torchbend.capture.graph import Capture, CapturedGraph, FlowStep
from torchbend.capture.replay import check_step
from torchbend.capture.unseen import check_inputs

__all__ = ["graph_module", "call_held"]

# What generated code can write down; anything else is held by the module and read from it.
_WRITTEN = (type(None), bool, int, float, complex, str, type(...), range, torch.Size)
_WRITTEN_KINDS = (torch.dtype, torch.device, torch.layout, torch.memory_format)


def call_held(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function that generated code cannot import: a scripted one, a local one, a class."""
    return function(*args, **kwargs)


def graph_module(module: nn.Module, capture: Capture, checks: bool = True) -> fx.GraphModule:
    """The captured graph as a ``torch.fx.GraphModule`` that shares the module's weights.

    Args:
        module: where weights and leaf modules come from.
        capture: the captured method.
        checks: with the flow steps as nodes: it then refuses an input that would have taken another way.
    """
    code = _Code(module, capture, checks)
    for node in capture.graph.nodes:
        code.add(node)
    made = fx.GraphModule(code.root, code.graph, class_name=f"{type(module).__name__}_{capture.method}")
    made.training = module.training  # its modules are the module's own and keep their modes
    return made


class _Code:
    """The graph of a ``GraphModule`` in the making, and what the module holds for it."""

    def __init__(self, module: nn.Module, capture: Capture, checks: bool) -> None:
        self.graph = CapturedGraph()
        self.root: dict[str, Any] = {}
        self._module, self._capture, self._checks = module, capture, checks
        self._known: dict[fx.Node, fx.Node] = {}
        self._inputs = [n for n in capture.graph.nodes if n.op == "placeholder"]
        self._optional = False
        self._steps: dict[fx.Node | None, list[FlowStep]] = {}
        for step in capture.graph.flow_steps if checks else ():
            self._steps.setdefault(step.after, []).append(step)

    def add(self, node: fx.Node) -> None:
        """Copy a node, and check what was taken for granted behind it."""
        if node.op == "placeholder":
            self._known[node] = self._input(node)
            if node is self._inputs[-1]:
                self._check_inputs()
            return
        if node.op in ("get_attr", "call_module"):
            self.root[str(node.target)] = self._attribute(str(node.target))
        args, kwargs = self._written(node.args), self._written(node.kwargs)
        target: Any = node.target
        if node.op == "call_function" and not _importable(target):
            args, target = (self._hold(target), *args), call_held
        self._known[node] = self.graph.create_node(node.op, target, args, kwargs, name=node.name)
        for step in self._steps.get(node, ()):
            self._check(step)

    def _input(self, node: fx.Node) -> fx.Node:
        """A placeholder; once one has a default, those behind it need one too."""
        steps = self._capture.graph.flow_steps
        default = [s.expected for s in steps if s.kind == "argument" and s.args[0] is node]
        simple = bool(default) and isinstance(default[0], _WRITTEN)
        self._optional = self._optional or simple
        args = (default[0] if simple else None,) if self._optional else ()
        return self.graph.create_node("placeholder", str(node.target), args, name=node.name)

    def _check_inputs(self) -> None:
        for node in self._inputs:
            for step in self._steps.get(node, ()):
                self._check(step)
        if self._checks and self._capture.fingerprints:
            values = {str(n.target): self._known[n] for n in self._inputs}
            held = self._hold(self._capture.fingerprints)
            self.graph.create_node("call_function", check_inputs, (held, self._capture.method, values), {})

    def _check(self, step: FlowStep) -> None:
        if step.target is None:
            return
        told = FlowStep(step.kind, step.target, tuple(map(str, step.args)), step.expected, None, step.source)
        args = (self._hold(told), self._capture.method, self._written(step.args))
        self.graph.create_node("call_function", check_step, args, {})

    def _written(self, value: Any) -> Any:
        """``value`` with nodes of this graph, and with what code cannot write down as nodes that read it."""

        def leaf(item: Any) -> Any:
            if isinstance(item, fx.Node):
                return self._known[item]
            written = type(item) in _WRITTEN or isinstance(item, _WRITTEN_KINDS)
            return item if written else self._hold(item)

        return fx.node.map_aggregate(value, leaf)

    def _hold(self, value: Any) -> fx.Node:
        name = f"_held{sum(key.startswith('_held') for key in self.root)}"
        self.root[name] = value
        return self.graph.create_node("get_attr", name)

    def _attribute(self, target: str) -> Any:
        if target in self._capture.constants:
            return self._capture.constants[target]
        value: Any = self._module
        for part in target.split("."):
            value = getattr(value, part)
        return value


def _importable(function: Any) -> bool:
    """Whether generated code can name ``function``."""
    if isinstance(function, (type, torch.jit.ScriptFunction)):
        return False
    return "<" not in str(getattr(function, "__qualname__", ""))
