"""What to do where: the actions on activations, arranged by the addresses at which the program meets them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from torchbend.capture import Capture
from torchbend.capture.graph import INPUT, MODULE, Address
from torchbend.capture.structure import put, take

__all__ = ["Action", "MethodPlan", "LivePlan", "act"]

Part = tuple[int | str, ...]


@dataclass(frozen=True, eq=False)
class Action:
    """Something to do with an activation when it exists.

    Attributes:
        order: actions at one place run in this order.
        owner: actions of one owner run once at one place, by however many methods it is reached.
        run: maps the value to the one that the program goes on with.
    """

    order: int
    owner: object
    run: Callable[[Tensor], Tensor]


Actions = list[tuple[Part, Action]]


@dataclass
class MethodPlan:
    """The actions of one captured method.

    Attributes:
        inputs: by argument name.
        modules: on outputs of leaf modules, by path and call.
        ops: on operations, by path and call of the module in whose code they run, name and count.
        calls: how often each module was called in the capture.
    """

    calls: Mapping[str, int]
    inputs: dict[str, Actions] = field(default_factory=dict)
    modules: dict[tuple[str, int], Actions] = field(default_factory=dict)
    ops: dict[tuple[str, int], dict[str, dict[int, Actions]]] = field(default_factory=dict)

    def add(self, address: Address, action: Action) -> None:
        """Arrange for ``action`` at ``address``."""
        at = (address.path, address.call)
        if address.op == INPUT:
            name, *rest = address.part
            self.inputs.setdefault(str(name), []).append((tuple(rest), action))
        elif address.op == MODULE:
            self.modules.setdefault(at, []).append((address.part, action))
        else:
            counts = self.ops.setdefault(at, {}).setdefault(address.op, {})
            counts.setdefault(address.count, []).append((address.part, action))


class LivePlan:
    """The actions of all methods, and the modules that have to be watched for them.

    Args:
        module: the wrapped module.
        captures: the captured methods by name.
        actions: ``(method, address, action)`` triples.
    """

    def __init__(
        self,
        module: nn.Module,
        captures: Mapping[str, Capture],
        actions: Iterable[tuple[str, Address, Action]],
    ) -> None:
        self.methods: dict[str, MethodPlan] = {}
        for method, address, action in actions:
            plan = self.methods.setdefault(method, MethodPlan(captures[method].calls))
            plan.add(address, action)
        self.watched = self._watched(module, captures)

    def _watched(self, module: nn.Module, captures: Mapping[str, Capture]) -> list[tuple[nn.Module, str]]:
        """Leaf modules with actions, modules with actions inside, and whatever these call."""
        paths: set[str] = set()
        for method, plan in self.methods.items():
            paths.update(path for path, _ in plan.modules)
            for path, call in plan.ops:
                if path or call:
                    paths.add(path)
                paths |= captures[method].callees.get(path, set())
                paths |= set(_direct(path, module.get_submodule(path)))
        return [(module.get_submodule(path), path) for path in sorted(paths)]


def _direct(path: str, module: nn.Module) -> Iterable[str]:
    """Paths of the modules that ``module`` may call itself: children, through lists and dicts of them."""
    for name, child in module.named_children():
        below = f"{path}.{name}" if path else name
        if isinstance(child, (nn.ModuleList, nn.ModuleDict)):
            yield from _direct(below, child)
        else:
            yield below


def act(value: Any, actions: Actions, in_place: bool) -> Any:
    """``value`` after ``actions`` on it or on parts of it.

    Where the operation wrote in place, the bent value is written in place too: the program may go on with
    the tensor that it handed in, and not with what the call returned.
    """
    for part, action in actions:
        tensor = take(value, part) if part else value
        if not isinstance(tensor, Tensor):
            continue
        changed = action.run(tensor)
        if changed is tensor:
            continue
        if in_place and changed.shape == tensor.shape:
            tensor.copy_(changed)
        else:
            value = put(value, part, changed) if part else changed
    return value
