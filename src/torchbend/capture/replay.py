"""Run a captured graph again: whole, or from given activations on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn
from torch.fx.immutable_collections import immutable_dict, immutable_list

from torchbend.capture.graph import Capture, FlowStep
from torchbend.capture.operators import is_in_place
from torchbend.capture.sizes import plain
from torchbend.capture.unseen import check_inputs
from torchbend.errors import ReplayError

__all__ = ["Replay", "check_step"]

Change = Callable[[str, Any], Any]


class Replay(fx.Interpreter):
    """Interprets a captured graph on a module, and checks each flow step on the way.

    Args:
        module: the module that was captured, or one of the same structure.
        capture: the captured method.
        change: called with each node's name and value; returns the value that its users see.
    """

    def __init__(self, module: nn.Module, capture: Capture, change: Change | None = None) -> None:
        super().__init__(module, garbage_collect_values=True, graph=capture.graph)
        self.capture = capture
        self._change = change
        self._steps: dict[fx.Node | None, list[FlowStep]] = {}
        for step in capture.graph.flow_steps:
            self._steps.setdefault(step.after, []).append(step)
        self._given: dict[fx.Node, Any] = {}
        self._wanted: set[fx.Node] = set(capture.graph.nodes)

    def run_from(self, given: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
        """The method's result, computed from the activations ``given`` by name and from ``inputs``.

        Raises:
            ReplayError: an argument that the rest of the graph needs is missing, or a flow step fails.
        """
        nodes = {node.name: node for node in self.graph.nodes}
        self._given = {nodes[name]: value for name, value in given.items() if name in nodes}
        parts = {name: value for name, value in given.items() if name not in nodes}
        for name, value in parts.items():
            self._given.update(self._readers(name, value))
        self._inputs = dict(inputs)
        self._wanted = self._needed()
        self._refuse_unseen()
        if any(self._writes(node) for node in self._wanted):
            self._refuse_views()
            self._given = {node: _cloned(value) for node, value in self._given.items()}
        return self._interpret(inputs)

    def run_all(self, inputs: Mapping[str, Any]) -> Any:
        """The method's result for ``inputs``, by name.

        Raises:
            ReplayError: an input is missing, or the graph does not cover these inputs.
        """
        check_inputs(self.capture.fingerprints, self.capture.method, dict(inputs))
        return self._interpret(inputs)

    def _readers(self, name: str, value: Any) -> dict[fx.Node, Any]:
        """The nodes that read the part ``name`` of a tuple."""
        address = self.capture.activations[name].address
        found = {
            node: value
            for node in self.graph.nodes
            if (known := self.capture.activations.get(node.name)) is not None and known.address == address
        }
        if not found:
            raise ReplayError(
                "nothing in the graph reads this part",
                site=name,
                next_step="start from an activation that the rest of the method uses",
            )
        return found

    def _needed(self) -> set[fx.Node]:
        """The nodes that the result and the flow steps need, going back no further than the given ones."""
        needed: set[fx.Node] = set()
        known = self._computable()
        writers = [n for n in self.graph.nodes if n.op != "placeholder" and not n.users and n.op != "output"]
        waiting = [n for n in self.graph.nodes if n.op == "output" or n.target is torch._C._set_grad_enabled]
        later = self._later_writers()
        waiting += [n for n in later if n in known]
        for step in self.capture.graph.flow_steps:
            read = _nodes_in(step.args)
            if step.target is not None and all(n in known for n in read):
                waiting.extend(read)
        while waiting:
            node = waiting.pop()
            if node in needed:
                continue
            needed.add(node)
            waiting.extend(w for w in writers if node in w.all_input_nodes and w not in needed)
            waiting.extend(w for w in later if self._root(w) is node)  # a missing input is then told
            if node not in self._given:
                waiting.extend(node.all_input_nodes)
        return needed

    def _later_writers(self) -> list[fx.Node]:
        """What writes in place behind the first given node: it may write into a view of something needed."""
        behind = list(self.graph.nodes)
        first = next((k for k, node in enumerate(behind) if node in self._given), len(behind))
        return [n for n in behind[first + 1 :] if n not in self._given and self._writes(n)]

    def _writes(self, node: fx.Node) -> bool:
        """Whether a node writes into one of its arguments."""
        if node.op == "call_module":
            return bool(getattr(self.module.get_submodule(str(node.target)), "inplace", False))
        if node.op not in ("call_function", "call_method"):
            return False
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        key = f"__{name}__" if getattr(node.target, "__module__", None) == "_operator" else name
        return node.target is setattr or is_in_place(key, dict(node.kwargs))

    def _refuse_views(self) -> None:
        """Refuse to start from a view of something that is needed too, where writes may go through either."""
        written = {self._root(n) for n in self._wanted if self._writes(n)}
        for node in self._given:
            base = self._root(node)
            if base is not node and base in written and base in self._wanted:
                raise ReplayError(
                    f"{node.name!r} is a view of {base.name!r}, which the rest needs too and writes into",
                    site=f"{self.capture.method}:{node.name}",
                    wanted=f"the whole: {base.name}",
                    next_step=f"start from {base.name!r}, or from an activation behind the writing",
                )

    def _root(self, node: fx.Node) -> fx.Node:
        """The node whose memory ``node`` shows, as far as the names of the operations tell."""
        while node.all_input_nodes:
            key = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
            called = node.op in ("call_function", "call_method")
            if not self._writes(node) and not (called and key in _VIEWS):
                break
            node = node.all_input_nodes[0]
        return node

    def _refuse_unseen(self) -> None:
        """Refuse to go on with constants from code that cannot be seen: they may depend on what was given."""
        for step in self.capture.graph.flow_steps:
            if step.kind != "constant":
                continue
            if any(n.op == "get_attr" and n.target == step.args[0] for n in self._wanted):
                raise ReplayError(
                    f"the rest of {self.capture.method!r} holds a constant from code that cannot be seen",
                    site=str(step),
                    wanted="an activation behind it",
                    next_step="start from a later activation, or call the bent model itself",
                )

    def _computable(self) -> set[fx.Node]:
        """The nodes whose value follows from what was given: steps on these can be checked."""
        known: set[fx.Node] = set()
        for node in self.graph.nodes:
            given = node in self._given or (node.op == "placeholder" and str(node.target) in self._inputs)
            if given or (node.op != "placeholder" and all(n in known for n in node.all_input_nodes)):
                known.add(node)
        return known

    def _interpret(self, inputs: Mapping[str, Any]) -> Any:
        with torch.set_grad_enabled(torch.is_grad_enabled()):  # the program may switch it
            return self._start(inputs)

    def _start(self, inputs: Mapping[str, Any]) -> Any:
        self.env = {}
        self._inputs = dict(inputs)
        self.user_to_last_uses = getattr(self, "user_to_last_uses", {})
        self._check(None)
        result: Any = None
        for node in self.graph.nodes:
            if node not in self._wanted:
                continue
            if node in self._given:
                value = self._given[node]
            elif node.op == "placeholder":
                value = self._input(node)
            else:
                value = self.run_node(node)
            if node.op == "output":
                result = value
                break
            if self._change is not None:
                value = self._change(node.name, value)
            self.env[node] = value
            self._check(node)
            for last in self.user_to_last_uses.get(node, ()) if not self._given else ():
                self.env.pop(last, None)
        self.env = {}
        return result

    def _input(self, node: fx.Node) -> Any:
        name = str(node.target)
        if name in self._inputs:
            return self._inputs[name]
        if name in self.capture.inputs:
            raise ReplayError(
                f"the argument {name!r} is needed and was not given",
                site=f"{self.capture.method}({name})",
                wanted=f"{name}=..., or an activation behind it",
                next_step=f"pass {name}=..., or start from a later activation",
            )
        return self._default(node)

    def _default(self, node: fx.Node) -> Any:
        for step in self.capture.graph.flow_steps:
            if step.kind == "argument" and step.args[0] is node:
                return step.expected
        return None

    def fetch_args_kwargs_from_env(self, n: fx.Node) -> tuple[Any, Any]:
        """The arguments of a node as the program gave them: a graph keeps its own kinds of list and dict."""
        args, kwargs = super().fetch_args_kwargs_from_env(n)
        return _thawed(tuple(args)), _thawed(dict(kwargs))

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        """A weight, buffer or attribute of the module, or a constant of the graph."""
        if target in self.capture.constants:
            return self.capture.constants[target]
        value: Any = self.module
        for part in str(target).split("."):
            value = getattr(value, part)
        return value

    def _check(self, node: fx.Node | None) -> None:
        for step in self._steps.get(node, ()):
            known = _nodes_in(step.args)
            if step.target is not None and all(a in self.env for a in known):
                values = fx.node.map_arg(step.args, lambda a: self.env[a])
                check_step(step, self.capture.method, values)


_VIEWS = frozenset([
    "getitem", "getattr", "view", "reshape", "transpose", "permute", "t", "narrow", "select", "chunk",
    "split", "unbind", "expand", "squeeze", "unsqueeze", "flatten", "unflatten", "diagonal", "unfold",
    "as_strided", "view_as", "expand_as", "movedim", "swapaxes", "contiguous", "view_as_real", "real",
    "imag", "detach",
])  # fmt: skip


def _cloned(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value


def _thawed(value: Any) -> Any:
    if isinstance(value, immutable_list):
        return [_thawed(v) for v in value]
    if isinstance(value, immutable_dict) or type(value) is dict:
        return {k: _thawed(v) for k, v in value.items()}
    if type(value) is tuple:
        return tuple(_thawed(v) for v in value)
    return value


def _nodes_in(args: Any) -> list[fx.Node]:
    found: list[fx.Node] = []

    def note(node: fx.Node) -> fx.Node:
        found.append(node)
        return node

    fx.node.map_arg(args, note)
    return found


def check_step(step: FlowStep, method: str, values: Any) -> None:
    """Evaluate a flow step on ``values`` and refuse when it comes out otherwise than in the capture.

    Raises:
        ReplayError: the program would have gone another way.
    """
    found = step.target(*values) if step.target is not None else step.expected
    if not _equal(found, step.expected):
        raise ReplayError(
            f"the captured graph of {method!r} does not cover this input: {step.kind} at {step.source}",
            site=str(step),
            wanted=step.expected,
            got=plain(found),
            next_step="call the bent model itself (its own code runs), or trace again with such an input",
        )


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):
        return isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and torch.equal(a, b)
    if hasattr(a, "__array_interface__") or hasattr(b, "__array_interface__"):
        return bool(getattr(a, "shape", None) == getattr(b, "shape", None) and (a == b).all())
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (a != a and b != b)
    return bool(type(a) is type(b) and a == b) or bool(a == b)
