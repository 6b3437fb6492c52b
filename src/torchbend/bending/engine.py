"""The live engine: calls of a wrapped module with its bends in force."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from types import GeneratorType
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.bending.bends import AppliedBend, CallState, apply_callback
from torchbend.bending.callback import BendingCallback
from torchbend.bending.collect import Collector
from torchbend.bending.live import LiveSession
from torchbend.bending.locks import lock_of
from torchbend.bending.parameter import BendingParameter, frozen
from torchbend.bending.places import Places
from torchbend.bending.plan import Action, LivePlan
from torchbend.bending.site_state import SiteState
from torchbend.bending.weights import BentWeight, BentWeights
from torchbend.capture import Address, Capture
from torchbend.errors import CallbackError, ShapeError, TorchbendError

__all__ = ["Engine"]

Wanted = tuple[str, Address, Action]


class Engine:
    """Bends of one module, and calls with them in force.

    Calls take turns behind one lock, shared with everyone who bends the same module or parts of it: each sees
    one consistent set of weights and controls. The wrapped module is changed only while a call runs, and put
    back whatever happens.

    Args:
        module: the wrapped module.

    Attributes:
        bends: in the order in which they apply.
        captures: the traced methods by name.
        bases: by name, what gives the weight of the active version (see `versions`).
        channels: by method and activation, the dimension of its channels where that is not dim 1.
        guard: ``"warn"`` or ``"raise"``: what happens when a callback makes NaN or infinity.
        memo: what was worked out for the present bends and traces; forgotten with each change.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.bends: list[AppliedBend] = []
        self.captures: dict[str, Capture] = {}
        self.bases: dict[str, Callable[[Tensor], Tensor]] = {}
        self.channels: dict[tuple[str, str], int] = {}
        self.guard = "warn"
        self.memo: dict[Hashable, Any] = {}
        self.lock = lock_of(module)
        self._running = False
        self._structure = 0
        self._compiled = False
        self._idle = True
        self._weights = BentWeights([])
        self._session: LiveSession | None = None
        self._controls: list[BendingParameter] = []
        self._family: list[BendingCallback] = []
        self._revision = 0
        self._extra_names: set[str] = set()
        self._call = CallState()

    def rewrap(self, module: nn.Module) -> None:
        """Bend another module of the same structure from now on."""
        self.module, self.lock = module, lock_of(module)
        self.changed()

    # -- what is bent -------------------------------------------------------------------------------

    def changed(self) -> None:
        """Bends, traces or versions changed: the next call arranges everything anew."""
        self._structure += 1
        self._compiled = False
        self.memo.clear()

    def compile(self) -> None:
        """Arrange bends by the places where they apply."""
        if self._compiled and not (self._family and self._set_by_hand()):
            return
        self._call = CallState()
        self._family = [c for b in self.bends for c in b.callback.family()]
        self._revision = sum(c.revision for c in self._family)
        self._controls = self._all_controls()
        self._extra_names = {n for b in self.bends for n in b.callback.extra_inputs}
        places = Places(self.module) if self.bases or any(b.weights for b in self.bends) else None
        self._weights = BentWeights([] if places is None else self._bent_weights(places))
        actions = self.actions()
        plan = LivePlan(self.module, self.captures, actions) if actions else None
        self._session = None if plan is None else LiveSession(self.module, plan)
        self._idle = not self.bends and not self.bases
        self._compiled = True

    def _all_controls(self) -> list[BendingParameter]:
        return list(dict.fromkeys(c for b in self.bends for c in b.callback.controls()))

    def _set_by_hand(self) -> bool:
        """Whether a parameter of a callback was set such that other controls are in use now."""
        revision = sum(c.revision for c in self._family)
        if revision == self._revision:
            return False
        self._revision = revision
        return self._all_controls() != self._controls

    def actions(self) -> list[Wanted]:
        """The bends of activations."""
        found: list[Wanted] = []
        for order, bend in enumerate(self.bends):
            for fn, name in bend.activations:
                activation = self.captures[fn].activations.get(name) if fn in self.captures else None
                if activation is not None and activation.address is not None:
                    found.append((fn, activation.address, Action(order, bend, self._bending(bend, name, fn))))
        return found

    def _bending(self, bend: AppliedBend, name: str, fn: str) -> Callable[[Tensor], Tensor]:
        site = bend.state(name, "activation", fn)
        site.channels = self.channels.get((fn, name))
        return lambda x: apply_callback(bend.callback, x, site, self._call)

    def _bent_weights(self, places: Places) -> list[BentWeight]:
        chains: dict[int, tuple[Any, list[AppliedBend]]] = {}
        for bend in self.bends:
            for name in bend.weights:
                place, bends = chains.setdefault(id(places[name]), (places[name], []))
                if bend not in bends:
                    bends.append(bend)
        for name in self.bases:
            if name in places:
                chains.setdefault(id(places[name]), (places[name], []))
        made = []
        for place, bends in chains.values():
            base = next((self.bases[n] for n in place.names if n in self.bases), None)
            weight = BentWeight(place, self._chain(place, bends), base, self._revision_of(bends))
            weight.part_slots = [slot for part in place.parts for slot in places[part].slots]
            made.append(weight)
        return made

    def _chain(self, place: Any, bends: Sequence[AppliedBend]) -> Callable[[Tensor], Tensor] | None:
        if not bends:
            return None
        kind = "buffer" if place.kind == "buffer" else "weight"
        steps = [(b.callback, b.state(place.names[0], kind)) for b in bends]

        def chain(x: Tensor) -> Tensor:
            for callback, site in steps:
                x = apply_callback(callback, x, site, self._call)
            return x

        return chain

    def _revision_of(self, bends: Sequence[AppliedBend]) -> Callable[[], Any]:
        callbacks = [b.callback for b in bends]
        controls = list(dict.fromkeys(c for callback in callbacks for c in callback.controls()))
        family = [c for callback in callbacks for c in callback.family()]
        return lambda: (*(c.state[0] for c in controls), *(c.revision for c in family))

    # -- calls --------------------------------------------------------------------------------------

    def call(
        self, method: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        """``function(*args, **kwargs)`` with all bends in force; ``method`` is the name it goes by."""
        with self.lock:
            if self._running:
                return function(*args, **kwargs)
            self.compile()
            if self._idle:  # the lock is held meanwhile: no other call may swap weights in
                return function(*args, **kwargs)
            result = self._run(method, function, args, kwargs, self._session)
        return self._steps(method, result) if isinstance(result, GeneratorType) else result

    def _steps(self, method: str, generator: GeneratorType[Any, Any, Any]) -> Iterator[Any]:
        """A method that yields: each of its steps is a call of its own, with the bends of that moment."""
        while True:
            try:
                value = self.call(f"{method}() step", next, (generator,), {})
            except StopIteration:
                return
            yield value

    def call_with(
        self,
        method: str,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        collector: Collector,
    ) -> Any:
        """Like `call`, with a collector's actions beside the bends; it is arranged once per change."""
        with self.lock:
            self.compile()
            session = self.memo.get(collector)
            if session is None:
                actions = [*self.actions(), *collector.actions()]
                session = LiveSession(self.module, LivePlan(self.module, self.captures, actions))
                self.memo[collector] = session
            return self._run(method, function, args, kwargs, session)

    def _run(
        self,
        method: str,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        session: LiveSession | None,
    ) -> Any:
        extra: dict[str, Any] = {}
        if self._extra_names:
            extra = {k: v for k, v in kwargs.items() if k in self._extra_names}
            kwargs = {k: v for k, v in kwargs.items() if k not in self._extra_names}
        kept = self._begin(extra)
        try:
            if session is None:
                return function(*args, **kwargs)
            try:
                session.enter(method)
                # the session has put its own function in the place of a traced method: call that one
                if function is not self.module and getattr(function, "__self__", None) is self.module:
                    function = getattr(self.module, method)
                return function(*args, **kwargs)
            finally:
                session.leave()
        except (RuntimeError, ValueError, IndexError) as error:
            self._blame(error)
            raise
        finally:
            self._end(kept)

    @contextmanager
    def in_force(self, extra: Mapping[str, Any]) -> Iterator[None]:
        """Within it, the bent weights are in place and controls keep their values.

        Args:
            extra: inputs for callbacks, by name.
        """
        with self.lock:
            kept = self._begin(extra)
            try:
                yield
            except (RuntimeError, ValueError, IndexError) as error:
                self._blame(error)
                raise
            finally:
                self._end(kept)

    def _begin(self, extra: Mapping[str, Any]) -> AbstractContextManager[None] | None:
        """Put the bent weights in place; gives what keeps the values of the controls, for `_end`."""
        call, controls, kept = self._call, self._controls, None
        call.guard, call.extra = self.guard, extra
        call.reshaped.clear()
        call.retyped.clear()
        call.revision = self._structure, self._revision
        self._running = True
        try:
            if controls:
                states = {c: c.state for c in controls}
                call.revision += tuple(state[0] for state in states.values())
                kept = frozen(states)
                kept.__enter__()
            self._weights.install(call.revision)
        except BaseException:
            self._end(kept)
            raise
        return kept

    def _end(self, kept: AbstractContextManager[None] | None) -> None:
        try:
            self._weights.remove()
        finally:
            self._running = False
            if kept is not None:
                kept.__exit__(None, None, None)

    def _blame(self, error: Exception) -> None:
        """Where a bend changed a shape or a dtype, a failure further down is told as that bend's."""
        if isinstance(error, TorchbendError):
            return
        if not self._call.reshaped:
            self._blame_type(error)
            return
        site, callback, before, after = self._call.reshaped[-1]
        raise ShapeError(
            f"after {callback} changed a shape, the model failed: {error}",
            site=site,
            wanted=tuple(before),
            got=tuple(after),
            next_step="keep the shape, or bend further down where the new shape fits",
        ) from error

    def _blame_type(self, error: Exception) -> None:
        retyped = [*self._call.retyped, *self._weights.retyped()]
        if not retyped:
            return
        site, before, after = retyped[-1]
        raise CallbackError(
            f"after a bend changed a dtype, the model failed: {error}",
            site=site,
            wanted=str(before),
            got=str(after),
            next_step=f"return {before} from the callback, or bend a floating-point site",
        ) from error

    # -- beside calls -------------------------------------------------------------------------------

    def bent_tensors(self) -> dict[str, Tensor]:
        """The bent weights by name."""
        with self.lock, torch.no_grad():
            self.compile()
            with self.in_force({}):
                return self._weights.tensors()

    @property
    def weights(self) -> BentWeights:
        """The weights and buffers that differ from the module's own."""
        self.compile()
        return self._weights

    @property
    def controls(self) -> list[BendingParameter]:
        """The controls of all bends, each once."""
        self.compile()
        return self._controls

    def apply(
        self, callback: BendingCallback, x: Tensor, site: SiteState, extra: Mapping[str, Any]
    ) -> Tensor:
        """``callback`` on a tensor that is no bent site, with the same care; ``extra`` inputs by name."""
        return apply_callback(callback, x, site, replace(self._call, extra=extra, guard=self.guard))

    @property
    def extra_names(self) -> set[str]:
        """Names of the inputs that callbacks take at call time."""
        self.compile()
        return self._extra_names

    def __getstate__(self) -> dict[str, Any]:
        kept = ("module", "bends", "captures", "bases", "channels", "guard")
        return {name: self.__dict__[name] for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["module"])  # type: ignore[misc]
        self.__dict__.update(state)
