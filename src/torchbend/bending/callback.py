"""The callback: one transformation of a tensor, applied to weights and activations alike."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.bending import documents_style
from torchbend.bending.arguments import record_arguments, same, written
from torchbend.bending.controllable import Controllable
from torchbend.bending.expression import Live
from torchbend.bending.parameter import BendingParameter, State
from torchbend.bending.site_state import SiteState
from torchbend.errors import CallbackError

__all__ = ["BendingCallback", "CallbackChain"]

_NO_EXTRA: Mapping[str, Any] = {}


class BendingCallback(Controllable):
    """Base of all callbacks. Override ``bend`` and it serves weights and activations.

    ``bend(self, x, site)`` gets the tensor and the site's memory (``SiteState``) and returns a
    tensor; ``bend(self, x)`` will do where no memory is needed. Keyword-only parameters of
    ``bend`` are extra inputs, given by name when the bent model is called. Parameters that may
    be controls are registered (``register_controllable``) and read with ``get``.

    The style of the documents works too: ``bend_input(self, x, name)`` for activations (and for
    weights when alone), ``apply_to_param(self, idx, param, cache)`` for weights.

    Two callbacks are equal when they are of one class and were made with the same arguments;
    sets and dicts nevertheless keep them apart, by identity.

    Args:
        seed: of what the callback draws. None: drawn once from torch's global random state.

    Attributes:
        weight_compatible, activation_compatible: where the callback makes sense.
        jit_compatible, nntilde_compatible: whether it can be exported.
        writes_in_place: False only where ``bend`` never writes into its input; the engine hands
            a copy to callbacks that may.
        changes_shape: True lets another shape than the input's through.
        controllable_params: names of the parameters that may be controls.
    """

    weight_compatible: bool = True
    activation_compatible: bool = True
    jit_compatible: bool = True
    nntilde_compatible: bool = True
    writes_in_place: bool = True
    changes_shape: bool = False
    controllable_params: Sequence[str] = ()

    _documents: documents_style.Overrides | None = None
    _bend_takes_site: bool = True
    _watches_controls: bool = False
    _own_inputs: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        record_arguments(cls)
        cls._watches_controls = cls.update is not BendingCallback.update
        cls._documents = documents_style.overrides(cls, BendingCallback)
        if cls._documents is not None:
            cls._own_inputs = cls._documents.extra_inputs
            return
        parameters = list(inspect.signature(cls.bend).parameters.values())[1:]
        given = [
            p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
        ]
        cls._bend_takes_site = len(given) > 1 or any(p.kind is p.VAR_POSITIONAL for p in given)
        cls._own_inputs = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)

    def __init__(self, seed: int | None = None) -> None:
        super().__init__()
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise self.wrong("seed", "an int or None", seed)
        self._seed = seed
        self._arguments: dict[str, Any] = {}
        self._standalone = SiteState("", "activation")
        self._seen: tuple[State, ...] | None = None
        self._documents_state = documents_style.Memory()

    def _made_with(self, arguments: dict[str, Any]) -> None:
        if "_arguments" not in self.__dict__:
            raise CallbackError(
                f"{type(self).__name__}.__init__ does not call super().__init__()",
                next_step="call super().__init__() first in it",
            )
        self._arguments = arguments
        for name in self.controllable_params:
            if name not in self._controllable_names and (name in arguments or hasattr(self, name)):
                self.register_controllable(name, getattr(self, name, arguments.get(name)))
        if "seed" in arguments:
            self._arguments["seed"] = self.seed

    @property
    def seed(self) -> int:
        """The seed of what the callback draws: as given, or drawn once."""
        if self._seed is None:
            self._seed = int(torch.randint(2**31 - 1, (), device="cpu"))
        return self._seed

    @seed.setter
    def seed(self, value: int | None) -> None:
        self._seed = value

    # what a subclass writes

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """The transformation. Override this.

        Args:
            x: the weight or the activation.
            site: the memory of this callback at this place.
        """
        raise CallbackError(
            f"{type(self).__name__} does not say what it does",
            site=site.label,
            wanted="a method bend(self, x) or bend(self, x, site)",
            next_step="override bend",
        )

    def bend_input(self, x: Tensor, name: str | None = None) -> Any:
        """The documents' way to bend an activation; without an override, ``bend``."""
        return self._call_bend(x, documents_style.current_site(self._standalone), _NO_EXTRA)

    def apply_to_param(self, idx: int, param: Tensor, cache: Tensor | None = None) -> Any:
        """The documents' way to bend a weight: ``param`` is a copy to write into, ``cache`` the original.

        Return a tensor, or write with ``copy_``, where gradients are wanted: torch has none for ``set_``.
        """
        x = param if cache is None else cache
        return self._call_bend(x, documents_style.current_site(self._standalone), _NO_EXTRA)

    def register_weight(self, parameter: Tensor, name: str | None = None, cache: bool = True) -> Any:
        """Called before a weight is bent for the first time, by callbacks in the documents' style."""
        return name

    def register_activation(self, name: str, shape: Sequence[int]) -> Any:
        """Called before an activation is bent for the first time, by callbacks in the documents' style."""
        return name, shape

    def update(self) -> None:
        """Called before the callback is applied for the first time, and when a control of it has moved."""

    # controls

    def controls(self) -> list[BendingParameter]:
        """The controls that the result depends on, inner callbacks' included, each once."""
        found: dict[BendingParameter, None] = {}
        for name in self._controllable_names:
            value = getattr(self, name)
            if isinstance(value, Live):
                found.update(dict.fromkeys(value.parameters))
        for inner in self.inner():
            found.update(dict.fromkeys(inner.controls()))
        return list(found)

    def inner(self) -> Iterator[BendingCallback]:
        """The callbacks that this one wraps."""
        for child in self.children():
            if isinstance(child, BendingCallback):
                yield child
            elif isinstance(child, nn.ModuleList | nn.ModuleDict):
                yield from (c for c in child.children() if isinstance(c, BendingCallback))

    def family(self) -> Iterator[BendingCallback]:
        """This callback and all those inside of it."""
        yield self
        for inner in self.inner():
            yield from inner.family()

    # what the engine calls

    @property
    def extra_inputs(self) -> tuple[str, ...]:
        """Names of the inputs given at call time beside the model's, inner callbacks' included."""
        names = dict.fromkeys(self._own_inputs)
        for inner in self.inner():
            names.update(dict.fromkeys(inner.extra_inputs))
        return tuple(names)

    def apply(self, x: Any, site: SiteState | None = None, extra: Mapping[str, Any] = _NO_EXTRA) -> Any:
        """Bends ``x``; what the engine calls.

        Without ``site`` it is ``nn.Module.apply(function)``.

        Args:
            x: the tensor of the site.
            site: the memory of this callback at this site.
            extra: extra inputs by name; those that the callback does not take are ignored.

        Raises:
            CallbackError: the callback does not serve this kind of site, misses an extra input,
                or returned something else than a tensor.
        """
        if site is None:
            return super().apply(x)
        if not (self.activation_compatible if site.kind == "activation" else self.weight_compatible):
            kinds = "activations" if self.activation_compatible else "weights"
            raise CallbackError(
                f"{type(self).__name__} does not bend a {site.kind}",
                site=site.label,
                wanted=f"one of the {kinds}",
                got=f"a {site.kind}",
                next_step=f"choose a pattern that matches {kinds} only",
            )
        if self._watches_controls:
            self._update_if_moved()
        if self._documents is None:
            out = self._call_bend(x, site, extra)
        else:
            out = documents_style.run(self, self._documents, self._documents_state, x, site, extra)
        if not isinstance(out, Tensor):
            raise CallbackError(
                f"{self!r} returned something that is not a tensor",
                site=site.label,
                wanted=f"a tensor of shape {tuple(x.shape)}",
                got=type(out).__name__,
                next_step="return the bent tensor at the end of the callback",
            )
        return out

    def _update_if_moved(self) -> None:
        states = tuple(control.state for control in self.controls())
        if states != self._seen:
            self._seen = states
            self.update()

    def _call_bend(self, x: Tensor, site: SiteState, extra: Mapping[str, Any]) -> Any:
        if not self._own_inputs and not extra:
            return self.bend(x, site) if self._bend_takes_site else self.bend(x)  # type: ignore[call-arg]
        return self._bend_with(x, site, extra)

    def _bend_with(self, x: Tensor, site: SiteState, extra: Mapping[str, Any]) -> Any:
        bend: Any = self.bend
        given = {name: extra[name] for name in self._own_inputs if name in extra}
        for name, parameter in inspect.signature(bend).parameters.items():
            if (
                parameter.kind is parameter.KEYWORD_ONLY
                and parameter.default is parameter.empty
                and name not in given
            ):
                raise CallbackError(
                    f"{type(self).__name__} needs the input {name!r}, which was not given",
                    site=site.label,
                    wanted=f"{name}=...",
                    got=", ".join(extra) or "no extra input",
                    next_step=f"give {name}= to the call, beside the model's inputs",
                )
        return bend(x, site, **given) if self._bend_takes_site else bend(x, **given)

    def forward(self, x: Tensor, *args: Any, **extra: Any) -> Tensor:
        """Bends a tensor outside of any model; extra inputs by position or by name."""
        extra.update(zip(self.extra_inputs, args, strict=False))
        source = x.clone() if self.writes_in_place else x
        out: Tensor = self.apply(source, self._standalone, extra)
        return out

    # switches, forwarded to what is wrapped

    def capture(self) -> None:
        """Starts recording, in callbacks that record."""
        for inner in self.inner():
            inner.capture()

    def stop(self) -> None:
        """Stops recording."""
        for inner in self.inner():
            inner.stop()

    @property
    def is_ready(self) -> bool:
        """Whether the callback can be applied."""
        return all(inner.is_ready for inner in self.inner())

    # what it is

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments by name; controls, tensors and inner callbacks as they are."""
        current = dict(self._arguments)
        for name in current:
            if name in self._controllable_names:
                current[name] = getattr(self, name)
        if "seed" in current:
            current["seed"] = self.seed
        return current

    def to_dict(self) -> dict[str, Any]:
        """The callback as plain data: its class's name and its arguments, inner ones likewise."""
        return {
            "callback": type(self).__name__,
            "arguments": {k: _plain(v) for k, v in self.arguments.items()},
        }

    def __rshift__(self, other: BendingCallback) -> CallbackChain:
        if not isinstance(other, BendingCallback):
            return NotImplemented
        first = self.callbacks if type(self) is CallbackChain else [self]
        second = other.callbacks if type(other) is CallbackChain else [other]
        return CallbackChain(*first, *second)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return type(self) is type(other) and same(self.arguments, other.arguments)

    # a value as a hash would let nn.Module's walks, which use sets, skip equal callbacks
    __hash__ = nn.Module.__hash__

    def __repr__(self) -> str:
        parts: list[str] = []
        for name, value in self.arguments.items():
            if isinstance(value, tuple) and name in ("callbacks", "args"):
                parts.extend(map(written, value))
            else:
                parts.append(f"{name}={written(value)}")
        return f"{type(self).__name__}({', '.join(parts)})"


def _plain(value: Any) -> Any:
    if isinstance(value, BendingCallback):
        return value.to_dict()
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


class CallbackChain(BendingCallback):
    """Callbacks applied one after the other; made by ``first >> second``.

    Args:
        callbacks: the callbacks, the first one applied first. None at all: the identity.

    Raises:
        CallbackError: one of them is not a callback.
    """

    writes_in_place = False

    def __init__(self, *callbacks: BendingCallback) -> None:
        super().__init__()
        for callback in callbacks:
            if not isinstance(callback, BendingCallback):
                raise self.wrong("callback", "BendingCallback objects", callback)
        self.members = nn.ModuleList(callbacks)
        self.adopt_compatibility(*callbacks)

    @property
    def callbacks(self) -> list[BendingCallback]:
        """The callbacks of the chain, in the order in which they are applied."""
        return list(self.members)  # type: ignore[arg-type]

    def adopt_compatibility(self, *callbacks: BendingCallback) -> None:
        """Serves only what all of ``callbacks`` serve; changes the shape if one of them does."""
        for flag in ("weight_compatible", "activation_compatible", "jit_compatible", "nntilde_compatible"):
            setattr(self, flag, all(getattr(c, flag) for c in callbacks))
        self.changes_shape = any(c.changes_shape for c in callbacks)

    def _call_bend(self, x: Tensor, site: SiteState, extra: Mapping[str, Any]) -> Any:
        for index, callback in enumerate(self.callbacks):
            # a callback before may have handed on the model's own tensor
            source = x.clone() if callback.writes_in_place else x
            x = callback.apply(source, site.child(index), extra)
        return x

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """Applies the callbacks in order, each with its own memory of the site."""
        out: Tensor = self._call_bend(x, site, _NO_EXTRA)
        return out

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[BendingCallback]:
        return iter(self.callbacks)

    def __getitem__(self, index: int) -> BendingCallback:
        return self.callbacks[index]
