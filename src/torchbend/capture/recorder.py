"""Run a method once, for real, and write down every torch call that it makes."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import torch
from torch import fx, nn
from torch.overrides import TorchFunctionMode

from torchbend.capture import sizes
from torchbend.capture.graph import Address
from torchbend.capture.ledger import Ledger
from torchbend.capture.lookahead import Lookahead, model_frame, source_line
from torchbend.capture.operators import OPERATORS, WRAPPED, WRITTEN, is_in_place, op_key
from torchbend.capture.preserve import Preserved
from torchbend.capture.sizes import TracedInt

__all__ = ["Frame", "Recorder"]

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


class Frame:
    """One call of a module whose code is being seen; counts its operations."""

    def __init__(self, path: str, call: int) -> None:
        self.path, self.call = path, call
        self.counts: dict[str, int] = {}

    def address(self, key: str) -> Address:
        """The address of the operation that runs now."""
        count = self.counts.get(key, 0)
        self.counts[key] = count + 1
        return Address(self.path, self.call, key, count)


class Recorder(Ledger, TorchFunctionMode):
    """The function mode that turns torch calls into nodes of a ``torch.fx`` graph.

    Args:
        parts: all modules by path.
        preserved: is told before something is written to.

    Attributes:
        frames: the calls of modules whose code runs now, innermost last.
        reflected: whether the operator being called was written with the tensor on the right.
    """

    def __init__(self, parts: Sequence[tuple[str, nn.Module]], preserved: Preserved) -> None:
        super().__init__(parts)
        self.reflected = False
        self.frames: list[Frame] = [Frame("", 0)]
        self._preserved = preserved
        self._lookahead = Lookahead()

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
            return self.unseen(func, args, kwargs)
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
        result = self.unseen(func, args, kwargs)
        if key in _READ_OUT:
            return self._read_out(key, call, result)
        if key == "__len__":
            self.flow("loop", len, args, result)
            return result
        if isinstance(result, (bool, str, torch.dtype)) or (result is None and not in_place):
            return result
        if not in_place:
            result = self.distinct(result, (*args, *kwargs.values()))
        return self._made(result, call, inside)

    def _gradients(self, func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """A model that takes gradients inside: where it switches them on and off is part of the program."""
        before = torch.is_grad_enabled()
        self.unseen(func, args, {})
        if torch.is_grad_enabled() is not before:
            self.create("call_function", torch._C._set_grad_enabled, args, {})

    def _call_of(
        self,
        func: Callable[..., Any],
        key: str,
        caller: FrameType,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> tuple[str, Any, tuple[Any, ...], dict[str, Any]]:
        """The call as a node's opcode, target, args and kwargs."""
        nodes = self.each_of(args), self.nodes_of(kwargs) if kwargs else {}
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
        nodes = self.each_of(args), self.nodes_of(kwargs)
        result = self.unseen(function, args, kwargs)
        frame = model_frame()
        name = getattr(function, "name", None)
        node = self.create("call_function", function, *nodes, name=name if isinstance(name, str) else None)
        self.register(result, node, None, source_line(frame))
        if isinstance(result, tuple):
            self.read_ahead(result, node, frame)
        return result

    def _property(self, func: Callable[..., Any], key: str, args: tuple[Any, ...]) -> Any:
        tensor, name = args[0], key.split(".")[0]
        result = self.unseen(func, args, {})
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
            self.stands_for(result, read())
        elif isinstance(result, torch.Tensor):
            inside = self.frames[-1].address(key)
            call: Call = ("call_function", getattr, (self.node_of(tensor), name), {})
            return self._made(self.distinct(result, args), call, inside)
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

    def distinct(self, result: Any, args: tuple[Any, ...]) -> Any:
        """A call that hands its argument back (``contiguous()``, ``to()``) gets a name of its own."""
        if isinstance(result, torch.Tensor) and any(result is a for a in args):
            return self.unseen(torch.Tensor.detach, (result,), {})
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
            self.read_ahead(result, node, frame)
        return result

    def read_ahead(self, result: Any, node: fx.Node, frame: Any) -> None:
        """Make ``getitem`` nodes for the parts that the next instruction takes."""
        for key in self._lookahead.parts(frame):
            if isinstance(key, str):
                part = getattr(result, key, None)
            elif isinstance(result, (list, tuple)) and -len(result) <= key < len(result):
                part = result[key]
            else:
                part = None
            if isinstance(part, (torch.Tensor, tuple)):
                self.reach(part, key, node)


def _is_method(func: Callable[..., Any], key: str) -> bool:
    owner = getattr(torch.Tensor, key, None)
    return owner is func or type(func).__name__ in ("method_descriptor", "wrapper_descriptor")


def _same(value: Any) -> Any:
    return value


def _kept(result: Any) -> Any:
    """A copy that later writes do not change (numpy shares its memory with the tensor)."""
    return result.copy() if hasattr(result, "__array_interface__") else result
