"""Capture a method: call it once, for real, and keep the graph of what happened."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from torchbend.capture.compiled import run_eagerly
from torchbend.capture.elsewhere import brought_in_quietly, hooked
from torchbend.capture.graph import INPUT, Address, Capture
from torchbend.capture.operators import hidden_from_outer, unseen_seen
from torchbend.capture.preserve import Preserved, random_state_kept
from torchbend.capture.recorder import Recorder
from torchbend.capture.sizes import traced_number
from torchbend.capture.structure import assemble, bind_inputs, call_arguments, has_tensor, put, walk
from torchbend.capture.unseen import fingerprint, new_objects_apart, tell_constants
from torchbend.capture.watch import ModuleWatch
from torchbend.errors import CaptureError

__all__ = ["capture"]

# The hooks and operator notes of a capture are global to the process: one capture at a time.
_ONE_AT_A_TIME = threading.RLock()


def capture(
    module: nn.Module, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Capture, Any]:
    """Call ``module.method(*args, **kwargs)`` once and write down its graph.

    The call runs under ``torch.no_grad()``. Weights, buffers, attributes, training mode and the random state
    are afterwards exactly what they were.

    Args:
        module: any module.
        method: name of the method to call.
        args, kwargs: its arguments.

    Returns:
        The capture, and what the method returned.

    Raises:
        CaptureError: there is no such method, or the arguments do not fit.
    """
    if not callable(getattr(module, method, None)):
        raise CaptureError(
            f"{type(module).__name__} has no method {method!r}",
            site=method,
            wanted="the name of a method of the module",
            next_step="call trace('name', ...) with one of the module's methods",
        )
    bound = bind_inputs(module, method, args, kwargs)
    with _ONE_AT_A_TIME, hidden_from_outer(), random_state_kept(), run_eagerly(), torch.no_grad():
        parts = list(module.named_modules())
        preserved = Preserved([part for _, part in parts])
        try:
            return _run(module, parts, method, bound, preserved)
        finally:
            preserved.restore()


def _run(
    module: nn.Module,
    parts: list[tuple[str, nn.Module]],
    method: str,
    bound: inspect.BoundArguments,
    preserved: Preserved,
) -> tuple[Capture, Any]:
    recorder = Recorder(parts, preserved)
    watch = ModuleWatch(parts, method, recorder, preserved)
    captured = Capture(method, recorder.graph, recorder.activations, recorder.constants)
    captured.calls, captured.callees = watch.calls, watch.callees
    _take_apart(bound, set(recorder._named))
    _placeholders(recorder, bound, captured)
    function = module if method == "forward" else getattr(module, method)
    try:
        with ExitStack() as seeing:
            seeing.enter_context(brought_in_quietly(hooked([part for _, part in parts])))
            seeing.enter_context(unseen_seen(recorder))
            seeing.enter_context(watch.watching())
            seeing.enter_context(new_objects_apart())
            seeing.enter_context(recorder)
            result = function(*bound.args, **bound.kwargs)
    finally:
        recorder.closed = True
    recorder.closed = False  # the result may read parts of known values: a last few nodes
    recorder.create("output", "output", (_result_nodes(recorder, result),))
    recorder.closed = True
    unseen = [f"{s.args[0]} at {s.source}" for s in captured.graph.flow_steps if s.kind == "constant"]
    if unseen:
        tell_constants(method, unseen)
        captured.fingerprints = {
            name: fingerprint(value) for name, value, _ in call_arguments(bound) if name in captured.inputs
        }
    return captured, result


def _take_apart(bound: inspect.BoundArguments, known: set[int]) -> None:
    """Let each tensor arrive once: ``attend(x, x)`` takes two arguments, which may differ at another call."""
    for name, value in bound.arguments.items():
        for path, tensor in walk(value):
            if id(tensor) in known:
                value = put(value, path, tensor.detach())
            known.add(id(tensor))
        bound.arguments[name] = value


def _placeholders(recorder: Recorder, bound: inspect.BoundArguments, captured: Capture) -> None:
    """A placeholder for each argument; numbers that were given become traced numbers."""
    for name, value, default in call_arguments(bound):
        given = value is not inspect.Parameter.empty
        simple = isinstance(default, (int, float, str, bool, type(None)))
        args = (default,) if default is not inspect.Parameter.empty and simple else ()
        node = recorder.create("placeholder", name, args)
        actual = value if given else default
        if given and has_tensor(value):
            captured.inputs.append(name)
            recorder.register(value, node, Address("", 0, INPUT, 0, (name,)), "")
        elif given and type(value) in (int, float) and name in bound.arguments:
            captured.inputs.append(name)
            bound.arguments[name] = traced_number(recorder, value, lambda node=node: node)  # type: ignore[misc]
        else:
            recorder.flow("argument", _argument, (node,), actual)


def _argument(value: Any) -> Any:
    return value


def _result_nodes(recorder: Recorder, result: Any) -> Any:
    def node_of(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return recorder.node_of(value)
        return getattr(value, "node", None) if isinstance(value, (int, float)) else None

    def call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return recorder.create("call_function", function, args, kwargs)

    return assemble(result, node_of, call)
