"""What is traced: a module that holds every tensor of a bent model, and runs the live model's methods.

The tracer finds a tensor by its identity: a tensor that is a buffer of the traced module becomes an
attribute of the file, any other one a constant. So the shell holds the tensors that the methods use, as they
are with all bends in force, and one tensor for each control.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from torchbend.bending.engine import Engine
from torchbend.bending.parameter import BendingParameter, State, frozen
from torchbend.bending.places import Place, Places
from torchbend.bending.weights import BentWeight
from torchbend.capture.structure import walk
from torchbend.export.accessors import control_tensor, refresh_method
from torchbend.export.inputs import ExampleInputs

__all__ = ["Bench", "plant"]


class Bench:
    """A bent model prepared for tracing.

    Args:
        engine: of the bent model.
        methods: the methods to export, each with example inputs.
        calls: what to run in the place of a method of that name; it reaches the model through the engine.
        beside: a module beside the model whose tensors the methods use too.
        actions: what changes the model's state, by name, with example arguments.

    Attributes:
        controls: the tensor of each control.
        dependent: for each control, the weights that move with it.
        order: the weights that move with any control.
        written: paths in the shell of the tensors that the methods change.
    """

    def __init__(
        self,
        engine: Engine,
        methods: Mapping[str, ExampleInputs],
        calls: Mapping[str, Callable[..., Any]] | None = None,
        beside: nn.Module | None = None,
        actions: Mapping[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] | None = None,
    ) -> None:
        self.engine, self.methods, self.calls = engine, methods, dict(calls or {})
        self.beside, self.actions = beside, dict(actions or {})
        self.controls = {control: control_tensor(control) for control in engine.controls}
        self.dependent: dict[BendingParameter, list[Place]] = {c: [] for c in self.controls}
        self.order: list[Place] = []
        self.written: list[str] = []
        places = Places(engine.module)
        whole = {part: p for p in places.weights.values() if p.kept for part in p.parts}
        for weight in engine.weights:
            place = next((whole[name] for name in weight.place.names if name in whole), weight.place)
            for control in self._controls_of(weight):
                _add(place, self.dependent[control])
                _add(place, self.order)

    def _controls_of(self, weight: BentWeight) -> list[BendingParameter]:
        names = {*weight.place.names, *weight.place.parts}
        bends = [b for b in self.engine.bends if names.intersection(b.weights)]
        return [control for bend in bends for control in bend.callback.controls()]

    @contextmanager
    def with_tensors(self) -> Iterator[None]:
        """Within it, controls answer with their tensors."""
        states: dict[BendingParameter, State] = {c: (c.state[0], t) for c, t in self.controls.items()}
        with torch.no_grad(), frozen(states):
            yield

    def weight_paths(self, control: BendingParameter) -> list[str]:
        """Where the shell holds the weights that move with a control."""
        return [f"bent.w{_index(place, self.order)}" for place in self.dependent[control]]

    def run(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A method of the live model, bent."""
        if name in self.calls:
            return self.calls[name](*args, **kwargs)
        module = self.engine.module
        function = module if name == "forward" else getattr(module, name)
        return self.engine.call(name, function, args, dict(kwargs))

    def shell(self) -> nn.Module:
        """The module to trace; its buffers are the tensors themselves, of those that the methods use."""
        runs = {name: self._method(name, example) for name, example in self.methods.items()}
        for control, places in self.dependent.items():
            if places:
                runs[refresh_method(control)] = self._refresh(places)
        runs.update((name, _as_method(action)) for name, (action, _) in self.actions.items())
        kind = type(f"Bended{type(self.engine.module).__name__}", (nn.Module,), runs)
        made: nn.Module = kind()
        made.train(self.engine.module.training)
        for control, tensor in self.controls.items():
            plant(made, f"controls.{control.name}", tensor)
        before = {id(tensor): tensor._version for tensor in self._tensors()}
        self._plant_model(made, self._used())
        changed = {id(t) for t in self._tensors() if before.get(id(t), t._version) != t._version}
        held = made.named_buffers(remove_duplicate=False)
        self.written = [path for path, tensor in held if id(tensor) in changed]
        for k, tensor in enumerate(self._values(self.order)):  # the very ones that the tracer will meet
            plant(made, f"bent.w{k}", tensor)
        return made

    def _tensors(self) -> list[Tensor]:
        """All weights and buffers that the methods may change."""
        modules = [self.engine.module, *([] if self.beside is None else [self.beside])]
        return [tensor for m in modules for tensor in (*m.parameters(), *m.buffers())]

    def _used(self) -> set[int]:
        """The identities of all tensors that the methods use, and that weights are computed from."""
        noted = _Noted()
        with noted:
            for places in self.dependent.values():
                self._afresh(places)
            for name, example in self.methods.items():
                self.run(name, example.args, example.kwargs)
            for action, given in self.actions.values():
                action(*given)
        used = noted.alive()
        for part in self.engine.module.modules():  # what a module decides by goes with what it works on
            own = [t for t in (*part._parameters.values(), *part._buffers.values()) if t is not None]
            if any(id(t) in used for t in own):
                used.update(id(t) for t in part._buffers.values() if t is not None)
        return used

    def _plant_model(self, shell: nn.Module, used: set[int]) -> None:
        """The tensors that are used: as they are with all bends in force, and what bends start from."""
        module = self.engine.module
        places = Places(module)
        moved = {name for place in self.order for name in place.names}
        every = {id(p): p for p in (*places.weights.values(), *places.buffers.values())}.values()
        with self.engine.in_force({}):
            readable = [p for p in every if p.kept or p.kind != "effective"]
            now = [(p, p.read()) for p in readable if not moved.intersection(p.names)]
        whole = {part for p in every if p.kept and not moved.intersection(p.names) for part in p.parts}
        before = [(p, p.read()) for p in every if p.kind != "effective"]
        planted: set[str] = set()
        for place, tensor in (*now, *before):
            name = place.names[0]
            if id(tensor) in used and name not in planted and name not in whole:
                plant(shell, f"model.{name}", tensor)
                planted.add(name)
        if self.beside is not None:
            for place in (*Places(self.beside).weights.values(), *Places(self.beside).buffers.values()):
                plant(shell, f"beside.{place.names[0]}", place.read())
        scripted = [m for m in module.modules() if isinstance(m, torch.jit.ScriptModule)]
        for k, part in enumerate(scripted):
            shell.add_module(f"scripted_{k}", part)

    def _values(self, places: Sequence[Place]) -> list[Tensor]:
        """The tensors of weights as a call sees them now."""
        engine = self.engine
        with engine.lock, torch.no_grad():
            engine.compile()
            with engine.in_force({}):
                bent = engine.weights.tensors()
                return [bent[p.names[0]] if p.names[0] in bent else p.read() for p in places]

    def _method(self, name: str, example: ExampleInputs) -> Callable[..., Any]:
        def run(shell: nn.Module, *values: Any) -> Any:
            return self.run(name, *example.filled(values))

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(n, kind) for n in ("self", *example.names)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # names in the file
        return run

    def _refresh(self, places: list[Place]) -> Callable[..., Any]:
        def run(shell: nn.Module) -> tuple[Tensor, ...]:
            return self._afresh(places)

        return run

    def _afresh(self, places: list[Place]) -> tuple[Tensor, ...]:
        """The tensors of weights, computed again."""
        with ExitStack() as stack:
            for weight in self.engine.weights:
                stack.enter_context(weight.afresh())
            return tuple(self._values(places))


def _as_method(action: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(shell: nn.Module, *values: Tensor) -> Tensor:
        return action(*values)

    count = len(inspect.signature(action).parameters)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = ("self", *(f"value_{k}" if k else "value" for k in range(count)))
    run.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in names])  # type: ignore[attr-defined]
    return run


class _Noted(TorchFunctionMode):
    """Notes which tensors calls are given, and holds none of them."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[int, weakref.ref[Tensor]] = {}

    def alive(self) -> set[int]:
        """The identities of those that are still there; that of another one may be given to a new tensor."""
        return {key for key, tensor in self._seen.items() if tensor() is not None}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self._seen.update((id(tensor), weakref.ref(tensor)) for _, tensor in walk((args, kwargs or {})))
        return func(*args, **(kwargs or {}))


def _add(place: Place, to: list[Place]) -> None:
    if all(place.names != known.names for known in to):
        to.append(place)


def _index(place: Place, among: Sequence[Place]) -> int:
    return [known.names for known in among].index(place.names)


def plant(root: nn.Module, path: str, tensor: Tensor) -> None:
    """Hold ``tensor`` as the buffer at a dotted path, with empty modules on the way."""
    *above, name = path.split(".")
    for part in above:
        if part not in root._modules:
            root.add_module(part, nn.Module())
        root = root._modules[part]  # type: ignore[assignment]
    root._buffers[name] = tensor
