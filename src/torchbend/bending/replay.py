"""Run a captured graph from given activations on, with the bends in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torchbend.bending.engine import Engine
from torchbend.bending.plan import Actions, act
from torchbend.capture import Activation, Address, Capture, Replay
from torchbend.capture.graph import INPUT
from torchbend.capture.operators import is_in_place
from torchbend.errors import ReplayError, TorchbendError

__all__ = ["bend_replay", "actions_by_node"]


def actions_by_node(capture: Capture, engine: Engine) -> dict[str, tuple[Actions, bool]]:
    """The actions on each node's value, and whether the node writes in place."""
    first: dict[Address, Activation] = {}
    for activation in capture.activations.values():
        if activation.address is not None:
            first.setdefault(activation.address, activation)
    found: dict[str, tuple[Actions, bool]] = {}
    for fn, address, action in engine.actions():
        if fn != capture.method or address not in first:
            continue
        node = capture.node(first[address].name)
        part = address.part[1:] if address.op == INPUT else address.part
        actions, _ = found.setdefault(node.name, ([], is_in_place(address.op, dict(node.kwargs))))
        actions.append((part, action))
    return found


def bend_replay(engine: Engine, fn: str, given: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
    """What ``fn`` returns, from the activations ``given`` on.

    Raises:
        ReplayError: the graph needs an input that is missing, or does not cover this one.
    """
    with engine.in_force(inputs):
        capture = engine.captures[fn]
        actions = actions_by_node(capture, engine)
        given = {name: _bent_part(capture, engine, name, value, actions) for name, value in given.items()}

        def change(name: str, value: Any) -> Any:
            found = actions.get(name)
            return value if found is None else act(value, *found)

        try:
            return Replay(engine.module, capture, change).run_from(given, inputs)
        except TorchbendError:
            raise
        except RuntimeError as error:
            raise ReplayError(
                f"the rest of {fn!r} failed from there on: {error}",
                site=", ".join(f"{fn}:{name}" for name in given),
                wanted=", ".join(f"{name} like {tuple(capture.activations[name].shape)}" for name in given),
                got=", ".join(f"{name} {tuple(getattr(v, 'shape', ()))}" for name, v in given.items()),
                next_step="give values of the shape, dtype and device that the activation has",
            ) from error


def _bent_part(capture: Capture, engine: Engine, name: str, value: Any, known: Mapping[str, Any]) -> Any:
    """A given part of a tuple, bent here: the replay does not come by the whole that it belongs to."""
    address = capture.activations[name].address
    if name in known or address is None:
        return value
    for fn, at, action in engine.actions():
        if fn == capture.method and at == address:
            value = act(value, [((), action)], in_place=False)
    return value
