"""Where a module's weights live: every slot that holds a tensor, and how to put another one there.

A *slot* is a container and a key: ``module._parameters["weight"]``, an entry of an LSTM's flat list of
weights. Tied weights are one tensor in several slots. A weight that is computed from parts (weight norm,
parametrizations) is an *effective* weight: its slot holds what computes it. Any module can have such
weights: its ``computed_weights`` names their parts, and an attribute ``given_<name>`` stands for a whole one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from torchbend.capture.elsewhere import Kept, kept_elsewhere, tied_names

__all__ = ["Slot", "Place", "Places"]


@dataclass(frozen=True, eq=False)
class Slot:
    """One spot that holds a tensor (or what computes it).

    Attributes:
        container: a dict or list of the module.
        key: the key or index in it.
        install: makes what is put there out of the bent tensor; ``None`` puts the tensor itself.
    """

    container: Any
    key: Any
    install: Callable[[Tensor], Any] | None = None

    def get(self) -> Any:
        """What the slot holds now; ``_ABSENT`` for a key that is not there."""
        if isinstance(self.container, dict):
            return self.container.get(self.key, _ABSENT)
        return self.container[self.key]

    def swap(self, tensor: Tensor) -> Any:
        """Put the bent ``tensor`` there; gives what the slot held before, to `set` it back."""
        before = self.get()
        self.container[self.key] = tensor if self.install is None else self.install(tensor)
        return before

    def set(self, value: Any) -> None:
        """Put ``value`` there (``_ABSENT`` removes the key)."""
        if value is _ABSENT:
            self.container.pop(self.key, None)
        else:
            self.container[self.key] = value


_ABSENT: Any = type("_Absent", (), {"__repr__": lambda self: "absent"})()


@dataclass(eq=False)
class Place:
    """One weight or buffer: its names, and its slots.

    Attributes:
        names: every name that it has; tied weights have several.
        kind: ``"weight"``, ``"buffer"``, or ``"effective"`` for a weight computed from parts.
        read: gives the current tensor.
        slots: where a bent tensor is put.
        also: slots that a call changes by itself and that are put back after a bent call.
        parts: for an effective weight, the names of its parts.
        kept: an effective weight that its module computes once and keeps.
        outline: an empty tensor of its shape and dtype, where its values are kept elsewhere: `read` fetches
            them.
    """

    names: list[str]
    kind: str
    read: Callable[[], Tensor]
    slots: list[Slot]
    also: list[Slot] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    kept: bool = False
    outline: Tensor | None = None


class _Computed(nn.Module):
    """Stands where a parametrization was, and answers with a ready tensor.

    It shows the same parts: a model may look at its own parameters while it runs.
    """

    def __init__(self, parametrization: nn.Module, tensor: Tensor) -> None:
        super().__init__()
        for held in ("_parameters", "_buffers", "_modules"):
            self.__dict__[held] = parametrization.__dict__[held]
        self.__dict__["tensor"] = tensor

    def forward(self) -> Tensor:
        tensor: Tensor = self.__dict__["tensor"]
        return tensor


class _Instead(Mapping[str, Tensor]):
    """The map of weights that are kept elsewhere, with another tensor for one of them."""

    def __init__(self, under: Mapping[str, Tensor], key: str, tensor: Tensor) -> None:
        self._under, self._key, self._tensor = under, key, tensor

    def __getitem__(self, key: str) -> Tensor:
        return self._tensor if key == self._key else self._under[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._under)

    def __len__(self) -> int:
        return len(self._under)


def _instead(at: Kept, tensor: Tensor) -> _Instead:
    return _Instead(at.hook.weights_map, at.key, tensor)


def _no_hook(tensor: Tensor) -> Callable[..., None]:
    return lambda module, inputs: None


class Places:
    """All weights and buffers of a module by name.

    Attributes:
        weights: parameters by name (tied ones under each of their names), then effective weights.
        buffers: buffers by name, then tensors that are plain attributes.
    """

    def __init__(self, module: nn.Module) -> None:
        self.weights: dict[str, Place] = {}
        self.buffers: dict[str, Place] = {}
        slots = _slots(module)
        by_tensor: dict[int, Place] = {}
        for kind, named, found in (
            ("weight", module.named_parameters(remove_duplicate=False), self.weights),
            ("buffer", module.named_buffers(remove_duplicate=False), self.buffers),
        ):
            for name, tensor in named:
                place = by_tensor.get(id(tensor))
                if place is None:
                    own = slots.get(id(tensor), [])
                    place = Place([], kind, own[0].get, own)
                    by_tensor[id(tensor)] = place
                place.names.append(name)
                found[name] = place
        self._kept_elsewhere(module)
        for path, part in module.named_modules():
            for place in _effective(path, part, self.weights):
                self.weights[place.names[0]] = place
            for place in _attributes(path, part):
                self.buffers.setdefault(place.names[0], place)
            if isinstance(part, nn.RNNBase):
                self._renewed_lists(path, part)

    def _kept_elsewhere(self, module: nn.Module) -> None:
        """Weights that another library brings in for each call: they are read and bent where they are."""
        kept = kept_elsewhere(module)
        for name, at in kept.items():
            if name in self:
                place = self[name]
                place.read, place.outline = at.read, at.outline
                place.slots = [Slot(vars(at.hook), "weights_map", partial(_instead, at))]
        for name, other in tied_names(module) if kept else ():
            first, second = self.weights.get(other), self.weights.get(name)
            if first is not None and second is not None and first is not second:
                if first.outline is not None:
                    first, second = second, first  # what is at hand is read more quickly
                first.names = sorted({*first.names, *second.names}, key=list(self.weights).index)
                first.slots = [*first.slots, *second.slots]
                self.weights.update(dict.fromkeys(second.names, first))

    def _renewed_lists(self, path: str, part: nn.RNNBase) -> None:
        """A recurrent layer that finds other weights in its place makes new lists of them in its call."""
        lists = [Slot(vars(part), name) for name in ("_flat_weights", "_flat_weight_refs")]
        for name in part._flat_weights_names:
            place = self.weights.get(f"{path}.{name}" if path else name)
            if place is not None:
                place.also.extend(lists)

    def __getitem__(self, name: str) -> Place:
        return self.weights[name] if name in self.weights else self.buffers[name]

    def __contains__(self, name: str) -> bool:
        return name in self.weights or name in self.buffers


def _slots(module: nn.Module) -> dict[int, list[Slot]]:
    """The slots of each registered tensor, by the tensor's identity."""
    found: dict[int, list[Slot]] = {}
    for part in module.modules():
        for held in (part._parameters, part._buffers):
            for key, tensor in held.items():
                if tensor is not None:
                    found.setdefault(id(tensor), []).append(Slot(held, key))
    for part in module.modules():
        if isinstance(part, torch.jit.ScriptModule):
            continue
        for name, value in vars(part).items():
            for slot, tensor in _plain_slots(vars(part), name, value):
                if id(tensor) in found:
                    found[id(tensor)].append(slot)
    return found


def _plain_slots(attributes: dict[str, Any], name: str, value: Any) -> Iterator[tuple[Slot, Tensor]]:
    """Slots outside of the registered ones: an attribute, or an item of a list or dict attribute."""
    if isinstance(value, Tensor):
        yield Slot(attributes, name), value
    elif type(value) is list:
        yield from ((Slot(value, k), v) for k, v in enumerate(value) if isinstance(v, Tensor))
    elif type(value) is dict and name not in ("_parameters", "_buffers"):
        yield from ((Slot(value, k), v) for k, v in value.items() if isinstance(v, Tensor))


def _attributes(path: str, part: nn.Module) -> Iterator[Place]:
    """Tensors that a module keeps as plain attributes."""
    if isinstance(part, torch.jit.ScriptModule):
        return
    computed = {getattr(hook, "name", None) for hook in part._forward_pre_hooks.values()}
    for name, value in vars(part).items():
        if isinstance(value, Tensor) and name not in computed:
            slot = Slot(vars(part), name)
            yield Place([f"{path}.{name}" if path else name], "buffer", slot.get, [slot])


def _effective(path: str, part: nn.Module, weights: dict[str, Place]) -> Iterator[Place]:
    """The weights that ``part`` computes from other ones."""
    prefix = f"{path}." if path else ""
    if not isinstance(part, torch.jit.ScriptModule) and parametrize.is_parametrized(part):
        lists: Any = part.parametrizations
        for name in lists:
            inside = f"{prefix}parametrizations.{name}."
            parts = [n for n in weights if n.startswith(inside)]
            slot = Slot(lists._modules, name, partial(_Computed, lists[name]))
            yield Place([prefix + name], "effective", _reader(part, name), [slot], parts=parts)
    for name, own in getattr(part, "computed_weights", {}).items():
        slot = Slot(vars(part), f"given_{name}")
        parts = [prefix + p for p in own]
        read = partial(getattr, part, name)
        yield Place([prefix + name], "effective", read, [slot], parts=parts, kept=True)
    for key, hook in part._forward_pre_hooks.items():
        name = getattr(hook, "name", None)
        if not hasattr(hook, "compute_weight") or not isinstance(name, str):
            continue
        parts = [
            n for n in weights if n in (f"{prefix}{name}_g", f"{prefix}{name}_v", f"{prefix}{name}_orig")
        ]
        attribute = Slot(vars(part), name)
        for n in parts:
            weights[n].also.append(attribute)
        slots = [Slot(part._forward_pre_hooks, key, _no_hook), attribute]
        yield Place([prefix + name], "effective", _hooked_reader(part, hook), slots, parts=parts)


def _reader(part: nn.Module, name: str) -> Callable[[], Tensor]:
    def read() -> Tensor:
        lists: Any = part.parametrizations
        # a spectral norm in train mode moves its vectors whenever it is read
        moving = [(b, b._version, b.detach().clone()) for b in lists[name].buffers() if part.training]
        weight: Tensor = getattr(part, name)
        with torch.no_grad():
            for buffer, version, before in moving:
                if buffer._version != version:
                    buffer.copy_(before)
        return weight

    return read


def _hooked_reader(part: nn.Module, hook: Any) -> Callable[[], Tensor]:
    def read() -> Tensor:
        if hasattr(hook, "n_power_iterations"):
            weight: Tensor = hook.compute_weight(part, do_power_iteration=False)
            return weight
        weight = hook.compute_weight(part)
        return weight

    return read
