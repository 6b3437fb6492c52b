"""See modules being called, through torch's global module hooks."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn
from torch.jit import ScriptModule
from torch.nn.modules import module as hooks

from torchbend.capture.graph import MODULE, Address
from torchbend.capture.lookahead import model_frame, source_line
from torchbend.capture.preserve import Preserved
from torchbend.capture.recorder import Frame, Recorder

__all__ = ["is_leaf", "ModuleWatch"]

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def is_leaf(module: nn.Module) -> bool:
    """Whether a module is one node of the graph, as in torch.fx: torch's own ones, and scripted ones."""
    if isinstance(module, ScriptModule):
        return True
    own = type(module).__module__.startswith(("torch.nn", "torch.ao.nn"))
    return own and not isinstance(module, _CONTAINERS)


def _writes_in_place(leaf: nn.Module) -> bool:
    if isinstance(leaf, ScriptModule):
        return bool(getattr(leaf, "inplace", False))
    return bool(vars(leaf).get("inplace", False))  # not asked: a module takes long to say that it has none


class ModuleWatch:
    """Follows which module's code is running, and records leaf modules as one node each.

    Attributes:
        calls: how often each module was called, by path.
        callees: which modules were called by the code of each module, by path.
    """

    def __init__(
        self, parts: Sequence[tuple[str, nn.Module]], method: str, recorder: Recorder, preserved: Preserved
    ) -> None:
        self.calls: dict[str, int] = {"": 1}  # the method itself is the first call of the root
        self.callees: dict[str, set[str]] = {}
        self._recorder, self._preserved = recorder, preserved
        self._root, self._entered = parts[0][1], method != "forward"
        self._paths = {id(part): path for path, part in reversed(parts)}
        self._stack: list[tuple[nn.Module, str, Any]] = []
        self._last: dict[int, Any] = {}
        self._thread = threading.get_ident()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Install the hooks for the time of the block."""
        before = hooks.register_module_forward_pre_hook(self._before)
        after = hooks.register_module_forward_hook(self._after, with_kwargs=True, always_call=True)
        try:
            yield
        finally:
            before.remove()
            after.remove()
            for handle in self._last.values():
                handle.remove()

    def _before(self, module: nn.Module, args: Any) -> None:
        path = self._paths.get(id(module))
        recorder = self._recorder
        if threading.get_ident() != self._thread or path is None or recorder.closed:
            return
        if module is self._root and not self._entered:
            self._entered = True
            self._stack.append((module, "method", None))
            return
        if module._forward_hooks:  # what these do belongs to the call: leave it after the last of them
            self._last[id(module)] = module.register_forward_hook(
                self._left, with_kwargs=True, always_call=True
            )
        call = self.calls.get(path, 0)
        self.calls[path] = call + 1
        self.callees.setdefault(recorder.frames[-1].path, set()).add(path)
        if recorder.hidden or torch._C._functorch.peek_interpreter_stack() is not None:  # inside vmap, grad
            self._stack.append((module, "hidden", None))
        elif is_leaf(module):
            nodes = recorder.each_of(tuple(args))
            recorder.hidden += 1
            self._preserved.before_leaf(module)
            for arg in args if _writes_in_place(module) else ():
                self._preserved.before_write(arg)
            self._stack.append((module, "leaf", (path, call, nodes)))
        else:
            recorder.frames.append(Frame(path, call))
            self._stack.append((module, "frame", None))

    def _after(self, module: nn.Module, args: Any, *rest: Any) -> Any:
        if threading.get_ident() != self._thread or id(module) not in self._paths or not self._stack:
            return None
        return None if id(module) in self._last else self._left(module, args, *rest)

    def _left(self, module: nn.Module, args: Any, *rest: Any) -> Any:
        """The call of ``module`` is over."""
        if id(module) in self._last:
            self._last.pop(id(module)).remove()
        while self._stack[-1][0] is not module:  # calls that an exception ended
            self._leave(*self._stack.pop()[1:])
        _, kind, entry = self._stack.pop()
        self._leave(kind, entry)
        if kind != "leaf" or len(rest) != 2 or self._recorder.hidden:
            return None
        return self._leaf_made(module, args, rest[0], rest[1], *entry)

    def _leave(self, kind: str, entry: Any) -> None:
        if kind == "frame":
            self._recorder.frames.pop()
        elif kind == "leaf":
            self._recorder.hidden -= 1

    def _leaf_made(
        self, module: nn.Module, args: Any, kwargs: Any, output: Any, path: str, call: int, nodes: Any
    ) -> Any:
        recorder = self._recorder
        given = (*args, *kwargs.values())
        if not _writes_in_place(module):
            output = recorder.distinct(output, given)
        node: fx.Node = recorder.create("call_module", path, nodes, recorder.nodes_of(dict(kwargs)))
        frame = model_frame()
        recorder.register(output, node, Address(path, call, MODULE), source_line(frame))
        if isinstance(output, (tuple, list, dict)):
            recorder.read_ahead(output, node, frame)
        return output
