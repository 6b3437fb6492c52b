"""One method of a bent model as a function: inputs, states and controls in, the result and new states out.

Whoever exports it needs tensors that are found by name and nothing that hides in the model. So the tensors
that the method uses are buffers of the functional form, put in their places for the time of a call; the
buffers that the method writes are arguments, as are the controls. Weights that no control moves are the bent
ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from torchbend.bending.bends import AppliedBend
from torchbend.bending.engine import Engine
from torchbend.bending.parameter import BendingParameter, State, frozen
from torchbend.bending.places import Place, Places, Slot
from torchbend.capture.preserve import Preserved
from torchbend.capture.structure import walk
from torchbend.export.accessors import control_tensor
from torchbend.export.inputs import ExampleInputs

__all__ = ["Functional"]

_FROZEN = -3
"""Revision of the controls in a functional call: the same in each, so that callbacks are checked once."""


class Functional(nn.Module):
    """A bent method without memory of its own.

    Tensors of one number that the method only reads (flags, counters) are asked for their value once: a
    branch on one of them is taken as it is now. Keep the model as it is, inside `restored`, while this lives.

    Args:
        engine: of the bent model.
        method: name of the method.
        example: arguments of one call.

    Attributes:
        states: buffers that the method writes, as they are now, by name.
        controls: the controls that act in the method, with the tensor of each.
    """

    def __init__(self, engine: Engine, method: str, example: ExampleInputs) -> None:
        super().__init__()
        self.engine, self.method, self.example = engine, method, example
        self._places = Places(engine.module)
        self._every = {
            p.names[0]: p for p in (*self._places.weights.values(), *self._places.buffers.values())
        }
        self._activations = _activations_only(engine)
        self._bent_now = {name: t.detach() for name, t in engine.bent_tensors().items()}
        moved = {id(p): p for p in self._moved()}
        self._moving = sorted(moved.values(), key=lambda p: p.kind == "effective")
        self._touched, written = self._watched()
        self.states = {n: self._every[n].read().clone() for n in written if n not in self._bent_now}
        fixed = self._fixed()
        for part in engine.module.modules():  # the kept tensors are laid out already
            if hasattr(part, "computed_weights"):
                vars(part)["lay_out"] = None
        self._slots: list[tuple[str, list[Slot]]] = []
        self._values: dict[str, Any] = {}
        for name, tensor in fixed.items():
            self._hold(name, tensor.detach())
        self.controls = {control: control_tensor(control) for control in engine.controls}

    # -- what there is ---------------------------------------------------------------------------------------

    def _bends_of(self, place: Place) -> list[AppliedBend]:
        return [b for b in self.engine.bends if set(place.names).intersection(b.weights)]

    def _moved(self) -> list[Place]:
        """The places with a weight that is bent by a control."""
        weights = [w.place for w in self.engine.weights]
        found = [p for p in weights if any(b.callback.controls() for b in self._bends_of(p))]
        parts = {name for place in found for name in place.names}
        return found + [p for p in weights if parts.intersection(p.parts)]

    def _moves(self, place: Place) -> bool:
        """Whether a control moves the tensor of a place, or a part that it is computed from."""
        names = {name for moving in self._moving for name in moving.names}
        return bool(names.intersection((*place.names, *place.parts)))

    def _watched(self) -> tuple[set[int], list[str]]:
        """The memory that a live call touches, and the names of the buffers that it writes."""
        names = [n for n in self._places.buffers if n in self._every]
        before = {n: (t, t._version) for n, t in ((n, self._every[n].read()) for n in names)}
        kept = Preserved(list(self.engine.module.modules()))
        for tensor, _ in before.values():
            kept.before_write(tensor)
        watch = _Watch()
        try:
            with torch.no_grad(), watch:
                self.live()
            after = {n: self._every[n].read() for n in before}
            written = [n for n, (t, version) in before.items() if after[n] is not t or t._version != version]
        finally:
            kept.restore()
        return watch.touched, written

    def _fixed(self) -> dict[str, Tensor]:
        """The tensors that the method uses, by name: bent where no control moves them, else as they are.

        A weight that is computed from parts is one of them, and its parts are not, unless a control moves it.
        """
        with self.engine.in_force({}):
            now = {n: self._bent_now.get(n, p.read()) for n, p in self._every.items()}
        effective = {n: p for n, p in self._every.items() if p.kind == "effective"}
        used = {n for n, t in now.items() if _pointer(t) in self._touched}
        for name, place in effective.items():
            if name in used:
                used.update(place.parts)
            elif used.intersection(place.parts):
                used.add(name)
        inside = {part for p in effective.values() if not self._moves(p) for part in p.parts}
        outside = {n for n, p in self._every.items() if p.kind != "effective" or not self._moves(p)}
        chosen = [n for n in self._every if n in used & outside - inside and n not in self.states]
        moved = {name for place in self._moving for name in place.names}
        return {n: self._every[n].read() if n in moved else now[n] for n in chosen}

    def live(self, inputs: Mapping[str, Any] | None = None) -> Any:
        """The method of the live model, which keeps its states itself; with the example inputs by default."""
        given = self.example.values if inputs is None else [inputs[name] for name in self.example.names]
        args, kwargs = self.example.filled(given)
        return self.engine.call(self.method, self._function(self.engine), args, kwargs)

    def read(self) -> dict[str, Tensor]:
        """A copy of the live model's states."""
        return {name: self._every[name].read().clone() for name in self.states}

    def write(self, states: Mapping[str, Tensor]) -> None:
        """Put the live model into these states."""
        for name, tensor in states.items():
            place = self._every[name]
            now = place.read()
            if now.shape == tensor.shape:
                now.copy_(tensor)
            else:
                for slot in place.slots:
                    slot.set(tensor.clone())

    def _function(self, engine: Engine) -> Callable[..., Any]:
        function: Callable[..., Any] = (
            engine.module if self.method == "forward" else getattr(engine.module, self.method)
        )
        return function

    def _hold(self, name: str, tensor: Tensor) -> None:
        key = f"model_{len(self._slots)}_{name.replace('.', '_')}"
        self.register_buffer(key, tensor)
        self._slots.append((key, self._every[name].slots))
        if tensor.numel() == 1 and tensor.device.type != "meta":
            self._values[key] = tensor.item()

    # -- a call ----------------------------------------------------------------------------------------------

    def arguments(self) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Tensor]]:
        """Example inputs, states as they are now and controls as they are set, each by name."""
        inputs = dict(zip(self.example.names, self.example.values, strict=True))
        return inputs, dict(self.states), {c.name: t for c, t in self.controls.items()}

    def forward(
        self, inputs: dict[str, Any], states: dict[str, Tensor], controls: dict[str, Tensor]
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """The tensors of the result, in order, and the states after the call."""
        given: dict[BendingParameter, State] = {c: (_FROZEN, controls[c.name]) for c in self.controls}
        held = {key: getattr(self, key) for key, _ in self._slots}
        answers = _Answers({id(held[key]): value for key, value in self._values.items()})
        args, kwargs = self.example.filled(inputs[name] for name in self.example.names)
        with torch.no_grad(), self.engine.lock, _Swapped() as places, frozen(given), answers:
            for key, slots in self._slots:
                places.put(slots, held[key])
            for name, tensor in states.items():
                places.put(self._every[name].slots, tensor.clone())
            for place in self._moving:
                places.put(place.slots, self._bent(place))
            engine = self._activations
            result = engine.call(self.method, self._function(engine), args, kwargs)
            after = {name: self._every[name].read() for name in states}
        return [tensor for _, tensor in walk(result)], after

    def _bent(self, place: Place) -> Tensor:
        """The bent tensor of a place, computed with the controls of this call."""
        own = place.read()
        base = next((self.engine.bases[n] for n in place.names if n in self.engine.bases), None)
        tensor = own if base is None else base(own)
        kind = "buffer" if place.kind == "buffer" else "weight"
        for bend in self._bends_of(place):
            tensor = self.engine.apply(bend.callback, tensor, bend.state(place.names[0], kind), {})
        return tensor


def _activations_only(engine: Engine) -> Engine:
    """Another engine of the same module with the bends of its activations alone."""
    made = Engine(engine.module)
    made.bends = [AppliedBend(b.bend, [], b.activations, b._states) for b in engine.bends]
    made.captures = engine.captures
    made.changed()
    return made


def _pointer(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the memory that operations take tensors from."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.touched: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.touched.update(_pointer(t) for _, t in walk((args, kwargs or {})))
        return func(*args, **(kwargs or {}))


class _Answers(TorchFunctionMode):
    """Answers what the numbers of known tensors are; leaves out switches of gradients, which are off."""

    _KINDS: Mapping[str, Callable[[Any], Any]] = {
        "__bool__": bool, "__int__": int, "__float__": float, "__index__": int, "item": lambda value: value,
    }  # fmt: skip

    def __init__(self, known: Mapping[int, Any]) -> None:
        super().__init__()
        self.known = known

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch._C._set_grad_enabled:
            return None
        if args and id(args[0]) in self.known:
            kind = self._KINDS.get(getattr(func, "__name__", ""))
            if kind is not None:
                return kind(self.known[id(args[0])])
        return func(*args, **(kwargs or {}))


class _Swapped:
    """Tensors put into slots, taken out again at the end."""

    def __init__(self) -> None:
        self._before: list[tuple[Slot, Any]] = []

    def put(self, slots: Iterable[Slot], tensor: Tensor) -> None:
        """Put ``tensor`` into each of the slots."""
        for slot in slots:
            self._before.append((slot, slot.swap(tensor)))

    def __enter__(self) -> _Swapped:
        return self

    def __exit__(self, *error: object) -> None:
        for slot, value in reversed(self._before):
            slot.set(value)
