"""What is traced: a module that holds every tensor of a bent model, and runs the live model's methods.

The tracer finds a tensor by its identity: a tensor that is a buffer of the traced module becomes an
attribute of the file, any other one a constant. So the shell holds the wrapped module's own tensors, the
bent ones that are swapped in for them, and one tensor for each control.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.bending.engine import Engine
from torchbend.bending.parameter import BendingParameter, State, frozen
from torchbend.bending.places import Places
from torchbend.bending.weights import BentWeight
from torchbend.export.accessors import control_tensor, refresh_method
from torchbend.export.inputs import ExampleInputs

__all__ = ["Bench", "plant"]


class Bench:
    """A bent model prepared for tracing.

    Args:
        engine: of the bent model.
        methods: the methods to export, each with example inputs.

    Attributes:
        controls: the tensor of each control.
        dependent: for each control, the weights that are bent by it.
    """

    def __init__(self, engine: Engine, methods: Mapping[str, ExampleInputs]) -> None:
        self.engine, self.methods = engine, methods
        self.controls = {control: control_tensor(control) for control in engine.controls}
        users = {weight: self._controls_of(weight) for weight in engine.weights}
        self.dependent = {c: [w for w, used in users.items() if c in used] for c in self.controls}
        self.order = [w for w, used in users.items() if used]

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
        """Where the shell holds the weights that depend on a control."""
        return [f"bent.w{self.order.index(weight)}" for weight in self.dependent[control]]

    def shell(self) -> nn.Module:
        """The module to trace; its buffers are the tensors themselves."""
        runs = {name: self._method(name, example) for name, example in self.methods.items()}
        for control, weights in self.dependent.items():
            if weights:
                runs[refresh_method(control)] = self._refresh(weights)
        kind = type(f"Bended{type(self.engine.module).__name__}", (nn.Module,), runs)
        made: nn.Module = kind()
        made.train(self.engine.module.training)
        for control, tensor in self.controls.items():
            plant(made, f"controls.{control.name}", tensor)
        bent = self.engine.bent_tensors()
        for k, weight in enumerate(self.order):
            plant(made, f"bent.w{k}", bent[weight.place.names[0]])
        moved = {name for weight in self.order for name in weight.place.names}
        self._plant_model(made, {name: t for name, t in bent.items() if name not in moved})
        return made

    def _plant_model(self, shell: nn.Module, fixed: Mapping[str, Tensor]) -> None:
        """The module's own tensors, but for those that are bent for good: these in their places."""
        places = Places(self.engine.module)
        every = {id(p): p for p in (*places.weights.values(), *places.buffers.values())}
        for place in every.values():
            name = place.names[0]
            if name in fixed:
                plant(shell, f"model.{name}", fixed[name])
            elif place.kind != "effective":
                plant(shell, f"model.{name}", place.read())
        scripted = [m for m in self.engine.module.modules() if isinstance(m, torch.jit.ScriptModule)]
        for k, part in enumerate(scripted):
            shell.add_module(f"scripted_{k}", part)

    def _method(self, name: str, example: ExampleInputs) -> Callable[..., Any]:
        engine = self.engine
        function = engine.module if name == "forward" else getattr(engine.module, name)

        def run(shell: nn.Module, *values: Any) -> Any:
            args, kwargs = example.filled(values)
            return engine.call(name, function, args, kwargs)

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(n, kind) for n in ("self", *example.names)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # names in the file
        return run

    def _refresh(self, weights: list[BentWeight]) -> Callable[..., Any]:
        engine = self.engine

        def run(shell: nn.Module) -> tuple[Tensor, ...]:
            with ExitStack() as stack:
                for weight in weights:
                    stack.enter_context(weight.afresh())
                tensors = engine.bent_tensors()
            return tuple(tensors[w.place.names[0]] for w in weights)

        return run


def plant(root: nn.Module, path: str, tensor: Tensor) -> None:
    """Hold ``tensor`` as the buffer at a dotted path, with empty modules on the way."""
    *above, name = path.split(".")
    for part in above:
        if part not in root._modules:
            root.add_module(part, nn.Module())
        root = root._modules[part]  # type: ignore[assignment]
    root._buffers[name] = tensor
