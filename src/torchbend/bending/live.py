"""Bend activations while the model's own code runs.

A session lasts for one call of a bent model. It hooks the few modules that its plan names, follows the calls
of the traced methods, and finds each activation by its address. A function mode sees torch's operations only
while code runs in which an operation is bent.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode, _get_current_function_mode

from torchbend.bending.plan import Actions, LivePlan, MethodPlan, act
from torchbend.capture.compiled import holds_compiled, run_eagerly
from torchbend.capture.elsewhere import brought_in_quietly, hooked
from torchbend.capture.operators import is_in_place, op_key
from torchbend.capture.structure import signature_of

__all__ = ["LiveSession"]

Ops = dict[str, dict[int, Actions]]
_NO_OPS: Ops = {}


class _Frame:
    """A module's call, as one running method counts it."""

    __slots__ = ("ops", "counts")

    def __init__(self, ops: Ops) -> None:
        self.ops = ops
        self.counts: dict[str, int] = {}


class _Run:
    """One running call of a planned method.

    Args:
        plan: its actions.
        loose: the method itself was never traced; a call of a module then counts as the traced ones in turn.
    """

    def __init__(self, method: str, plan: MethodPlan, loose: bool = False) -> None:
        self.method, self.plan, self.loose = method, plan, loose
        self.calls: dict[str, int] = {"": 1}
        self.frames = [_Frame(plan.ops.get(("", 0), _NO_OPS) if plan.ops and not loose else _NO_OPS)]

    def called(self, path: str) -> tuple[str, int]:
        """Count a call of the module at ``path``; gives what the plan knows it by."""
        call = self.calls.get(path, 0)
        self.calls[path] = call + 1
        return path, call % max(self.plan.calls.get(path, 1), 1) if self.loose else call


class _OperationMode(TorchFunctionMode):
    """Shows each torch operation to the session, except those that callbacks make."""

    def __init__(self, session: LiveSession) -> None:
        super().__init__()
        self.session = session

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        session = self.session
        if not session.seeing or torch._C._functorch.peek_interpreter_stack() is not None:
            return result
        key = func.__name__ if hasattr(func, "__name__") else op_key(func)
        if key in ("__get__", "__set__"):
            key = op_key(func)
        return session.operation(key, result, kwargs)


class LiveSession:
    """Calls of a bent model, with actions on its activations; entered and left for each call.

    Args:
        module: the wrapped module.
        plan: what to do where.
    """

    def __init__(self, module: nn.Module, plan: LivePlan) -> None:
        self._module, self._plan = module, plan
        self._key: Any = ("torchbend", id(self))  # of the hooks in modules' dicts; torch's own are integers
        self._runs: list[_Run] = []
        self._thread = 0
        self._mode = _OperationMode(self)
        self._mode_on = False
        self._depth = 0
        self.seeing = False
        self._sees_operations = any(p.ops for p in plan.methods.values())
        self._stack: list[tuple[nn.Module, list[tuple[_Run, tuple[str, int], int]]]] = []
        self._hooks = [(part, self._before(path), self._after(path, part)) for part, path in plan.watched]
        self._methods = {name: self._method(name) for name in plan.methods}
        # where only outputs of modules inside are wanted, the called method itself need not be followed
        inside = not self._sees_operations and all(path for _, path in plan.watched)
        self._direct = {name for name, p in plan.methods.items() if inside and not p.inputs}
        self._originals: dict[str, Callable[..., Any]] = {}
        self._shadowed: dict[str, Any] = {}
        self._holds_compiled = holds_compiled(module)
        self._eagerly: AbstractContextManager[Any] | None = None
        self._hooked = hooked(list(module.modules()))
        self._quietly: AbstractContextManager[Any] | None = None

    def enter(self, method: str) -> None:
        """Install the hooks for a call of ``method``."""
        self._thread = threading.get_ident()
        if self._holds_compiled:
            self._eagerly = run_eagerly()
            self._eagerly.__enter__()
        if self._hooked:
            self._quietly = brought_in_quietly(self._hooked)
            self._quietly.__enter__()
        own = vars(self._module)
        if self._sees_operations:
            self._depth = torch._C._len_torch_function_stack()
        for name, following in self._methods.items():
            if name == method and name in self._direct:
                self._runs.append(_Run(name, self._plan.methods[name]))
                continue
            self._shadowed[name] = own.get(name)
            self._originals[name] = getattr(self._module, name)
            own[name] = following
        for part, before, after in self._hooks:
            # put there directly: the registering methods make a handle each, and scripted modules refuse them
            if self._sees_operations:
                part._forward_pre_hooks[self._key] = before
                part._forward_pre_hooks.move_to_end(self._key, last=False)  # type: ignore[attr-defined]
                part._forward_hooks_always_called[self._key] = True
            part._forward_hooks[self._key] = after
        if method not in self._methods:
            loose = (_Run(n, p, loose=True) for n, p in self._plan.methods.items())
            self._runs.extend(loose)

    def leave(self) -> None:
        """Take everything away again, whatever happened in between."""
        self._runs.clear()
        self._stack.clear()
        self.seeing = self._mode_on = False
        if self._sees_operations:
            while torch._C._len_torch_function_stack() > self._depth:
                torch._C._pop_torch_function_stack()
        for part, _, _ in self._hooks:
            part._forward_hooks.pop(self._key, None)
            if self._sees_operations:
                part._forward_pre_hooks.pop(self._key, None)
                part._forward_hooks_always_called.pop(self._key, None)
        own = vars(self._module)
        for name, value in self._shadowed.items():
            if value is None:
                own.pop(name, None)
            else:
                own[name] = value
        self._shadowed.clear()
        self._originals.clear()
        if self._quietly is not None:
            self._quietly.__exit__(None, None, None)
            self._quietly = None
        if self._eagerly is not None:
            self._eagerly.__exit__(None, None, None)
            self._eagerly = None

    def _method(self, name: str) -> Callable[..., Any]:
        """The method with its run followed; calls of itself inside belong to the same run."""
        plan = self._plan.methods[name]
        original = getattr(self._module, name)
        signature = signature_of(self._module, name) if plan.inputs else None

        def method(*args: Any, **kwargs: Any) -> Any:
            function = self._originals.get(name, original)
            running = self._runs and any(run.method == name and not run.loose for run in self._runs)
            if running or threading.get_ident() != self._thread:
                return function(*args, **kwargs)
            if signature is not None:
                args, kwargs = _act_on_inputs(plan.inputs, signature.bind(*args, **kwargs))
            self._runs.append(_Run(name, plan))
            self._look()
            try:
                return function(*args, **kwargs)
            finally:
                if self._runs:
                    self._runs.pop()
                self._look()

        method.__wrapped__ = original  # type: ignore[attr-defined]  # code that asks for its signature
        return method

    # -- modules ------------------------------------------------------------------------------------

    def _before(self, path: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any) -> None:
            if threading.get_ident() != self._thread:
                return
            entered = []
            for run in self._runs:
                at = run.called(path)
                entered.append((run, at, len(run.frames)))
                run.frames.append(_Frame(run.plan.ops.get(at, _NO_OPS)))
            self._stack.append((module, entered))
            self._look()

        return hook

    def _after(self, path: str, part: nn.Module) -> Callable[..., Any]:
        may_write = hasattr(part, "inplace")  # asked once: a module takes long to say that it has none

        def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
            if threading.get_ident() != self._thread:
                return None
            actions = []
            if self._sees_operations:
                ended = self._left(module)
            else:
                ended = [(run, run.called(path)) for run in self._runs]
            for run, at in ended:
                found = run.plan.modules.get(at)
                if found:
                    actions.append(found)
            changed = output
            if actions and output is not None:
                self.seeing = False
                changed = act(output, _once(actions), may_write and bool(module.inplace))
            self._look()
            return None if changed is output else changed

        return hook

    def _left(self, module: nn.Module) -> list[tuple[_Run, tuple[str, int]]]:
        """The runs that saw the call of ``module`` which ends now, each with what its plan knows it by."""
        while self._stack and self._stack[-1][0] is not module:
            self._stack.pop()  # calls that an exception ended
        if not self._stack:
            return []
        _, entered = self._stack.pop()
        for run, _, depth in entered:
            del run.frames[depth:]
        return [(run, at) for run, at, _ in entered]

    # -- operations ---------------------------------------------------------------------------------

    def _look(self) -> None:
        """Switch the function mode on or off, as the code that runs now asks for it."""
        if not self._sees_operations:
            return
        wanted = any(run.frames[-1].ops for run in self._runs)
        if wanted and not self._mode_on:
            self._mode.__enter__()  # type: ignore[no-untyped-call]
            self._mode_on = True
        elif not wanted and self._mode_on and _on_top() is self._mode:
            self._mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self._mode_on = False
        self.seeing = wanted

    def operation(self, key: str, result: Any, kwargs: dict[str, Any]) -> Any:
        """Count an operation in every method that runs, and act on its result where the plan says so."""
        actions: list[Actions] = []
        for run in self._runs:
            frame = run.frames[-1]
            counts = frame.ops.get(key)
            if counts is None:
                continue
            count = frame.counts.get(key, 0)
            frame.counts[key] = count + 1
            found = counts.get(count)
            if found:
                actions.append(found)
        if not actions:
            return result
        self.seeing = False
        try:
            return act(result, _once(actions), is_in_place(key, kwargs))
        finally:
            self.seeing = True


def _on_top() -> object:
    """The innermost function mode: the program may have put one of its own above ours."""
    mode: object = _get_current_function_mode()  # type: ignore[no-untyped-call]
    return mode


def _act_on_inputs(
    actions: dict[str, Actions], bound: inspect.BoundArguments
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a method after the actions on them, which the capture names one by one."""
    for name, held in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            bound.arguments[name] = tuple(
                act(v, actions.get(f"{name}_{k}", []), in_place=False) for k, v in enumerate(held)
            )
        elif kind is inspect.Parameter.VAR_KEYWORD:
            bound.arguments[name] = {k: act(v, actions.get(k, []), in_place=False) for k, v in held.items()}
        else:
            bound.arguments[name] = act(held, actions.get(name, []), in_place=False)
    return bound.args, bound.kwargs


def _once(found: list[Actions]) -> Actions:
    """The actions of several methods at one place, in order, one of each owner.

    The innermost method's is kept: it is the most specific.
    """
    if len(found) == 1 and len(found[0]) == 1:
        return found[0]
    by_owner: dict[tuple[int, Any], Any] = {}
    for actions in reversed(found):
        for part, action in actions:
            by_owner.setdefault((id(action.owner), part), (part, action))
    return sorted(by_owner.values(), key=lambda item: item[1].order)
