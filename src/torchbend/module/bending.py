"""Bend weights and activations, turn controls, keep and exchange recipes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from torch import Tensor

from torchbend.bending.bends import AppliedBend
from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks import Capture
from torchbend.bending.parameter import BendingParameter
from torchbend.bending.recipe import Bend, BendingConfig
from torchbend.bending.sites import Sites, select_sites
from torchbend.errors import CallbackError, ControlError, RecipeError
from torchbend.module.core import Core

__all__ = ["Bending", "BendHandle"]

DEFAULT = "_default"


class BendHandle:
    """What `bend` gives back: it can be undone, or used as ``with bended.bend(...):``."""

    def __init__(self, owner: Bending, applied: list[AppliedBend]) -> None:
        self._owner, self._applied = owner, applied

    @property
    def keys(self) -> list[str]:
        """Names of the bent sites: weights by name, activations as ``"method:name"``."""
        return [key for applied in self._applied for key in applied.keys]

    def remove(self) -> None:
        """Undo this bend only."""
        self._owner._unbend(self._applied)

    def __enter__(self) -> BendHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<bend of {len(self.keys)} site(s): {', '.join(self.keys[:6])}{'...' * (len(self.keys) > 6)}>"


class Bending(Core):
    """The side of a bent module that bends."""

    def bend(
        self,
        callback: BendingCallback | BendingConfig,
        *patterns: str,
        fn: str | None = None,
        config: str | None = None,
        verbose: bool = False,
        bend_param: bool = True,
        bend_graph: bool = True,
        buffers: bool = False,
    ) -> BendHandle:
        """Apply a callback to every weight and activation that the patterns select.

        Patterns are regular expressions matched from the start of a name; ``"encode:add_4$"`` names the
        method too. Several bends of one site apply in the order in which they were made. Nothing is
        destroyed, and `reset` gives everything back.

        Args:
            callback: the transformation, or a whole recipe.
            patterns: which sites.
            fn: only activations of this method; by default those of all traced methods.
            config: keep the bend in the recipe of this name; in force at once only if that one is active.
            verbose: print what was selected.
            bend_param, bend_graph: whether weights, and activations, are selected.
            buffers: whether buffers are selected too.

        Returns:
            A handle that can undo this bend, also as a context manager.

        Raises:
            SiteNotFoundError: a pattern matches nothing.
            NotTracedError: a pattern names a method that was not traced.
            CallbackError: the callback cannot bend any of the selected sites.
            ControlError: another control of the same name is in use.

        Example:
            >>> import torch, torchbend as tb
            >>> bended = tb.BendedModule(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU()))
            >>> graph = bended.trace(torch.ones(1, 2))
            >>> handle = bended.bend(tb.Scale(0.0), "0.*", "_1$")
            >>> handle.keys
            ['0.weight', '0.bias', 'forward:_1']
            >>> bended(torch.ones(1, 2)).tolist()
            [[0.0, 0.0]]
            >>> handle.remove()
            >>> amount = tb.BendingParameter("amount", 1.0, range=[0.0, 4.0])
            >>> with bended.bend(tb.Scale(amount), "0.weight"):
            ...     bended.update("amount", 2.0)
            >>> bended.bended_keys()
            []
        """
        if isinstance(callback, BendingConfig):
            bends = callback.entries
        else:
            bends = (Bend(callback, patterns, fn, buffers),)
        bends = tuple(own for bend in bends for own in self._written_out(bend))
        if config is not None and config != self.config:
            stored = self._configs.get(config, BendingConfig())
            self._configs[config] = stored + BendingConfig(*bends)
            return BendHandle(self, [])
        with self._engine.lock:
            places = self._places()
            applied = []
            for bend in bends:
                sites = select_sites(
                    places, self._captures, bend.patterns, bend.fn, bend_param, bend_graph, bend.buffers
                )
                applied.append(self._applied(bend, sites))
            self._check_names(applied)
            self._engine.bends.extend(applied)
            self._engine.changed()
        handle = BendHandle(self, applied)
        if verbose:
            print(handle)  # noqa: T201  asked for
        return handle

    def _own_names(self, patterns: Sequence[str], kind: str | None = None) -> Sequence[str]:
        """The patterns, with the model's own names; a subclass that knows other names overrides it.

        Args:
            patterns: as they were given.
            kind: ``"weight"`` or ``"activation"``: others are not asked for.
        """
        return patterns

    def _written_out(self, bend: Bend) -> Sequence[Bend]:
        """A bend with the model's own names: what is applied, and what a recipe keeps."""
        return (replace(bend, patterns=tuple(self._own_names(bend.patterns))),)

    def _applied(self, bend: Bend, sites: Sites) -> AppliedBend:
        """The bend at those of the selected sites that its callback serves."""
        callback = bend.callback
        weights = sites.weights if callback.weight_compatible else []
        activations = sites.activations if callback.activation_compatible else []
        if not weights and not activations:
            wanted = "activations" if callback.activation_compatible else "weights"
            raise CallbackError(
                f"{type(callback).__name__} serves {wanted} only; {', '.join(bend.patterns)} matches none",
                site=", ".join(bend.patterns),
                wanted=wanted,
                got=f"{len(sites.weights)} weight(s), {len(sites.activations)} activation(s)",
                next_step="trace the method first, or choose another pattern",
            )
        return AppliedBend(bend, weights, activations)

    def _check_names(self, applied: Sequence[AppliedBend]) -> None:
        known = self.controllables
        for bend in applied:
            for control in bend.callback.controls():
                if known.setdefault(control.name, control) is not control:
                    raise ControlError(
                        f"two different controls are called {control.name!r}",
                        site=control.name,
                        next_step="share one BendingParameter, or give the second another name",
                    )

    def _unbend(self, applied: Sequence[AppliedBend]) -> None:
        with self._engine.lock:
            self._engine.bends[:] = [b for b in self._engine.bends if not any(b is a for a in applied)]
            self._engine.changed()

    def reset_bending(self, version: str | None = None) -> None:
        """Undo all bends; recipes that were kept by name stay."""
        with self._engine.lock:
            self._engine.bends.clear()
            self._engine.changed()

    # -- what is bent -------------------------------------------------------------------------------

    def resolve_parameters(self, *patterns: str) -> list[str]:
        """Names of the weights that the patterns select."""
        own = self._own_names(patterns, "weight")
        return select_sites(self._places(), self._captures, own, activations=False).weights

    def resolve_activations(self, *patterns: str, fn: str | None = None) -> list[str]:
        """Names of the activations that the patterns select; ``"method:name"`` if several are traced."""
        own = self._own_names(patterns, "activation")
        found = select_sites(self._places(), self._captures, own, fn, weights=False).activations
        several = fn is None and len(self._captures) > 1
        return [f"{method}:{name}" if several else name for method, name in found]

    def bendable_keys(
        self,
        *patterns: str,
        fn: str | None = None,
        return_weights: bool = True,
        return_activations: bool = True,
        buffers: bool = False,
    ) -> list[str]:
        """Everything that the patterns select: weights by name, activations as ``"method:name"``."""
        sites = select_sites(
            self._places(),
            self._captures,
            self._own_names(patterns or (".*",)),
            fn,
            return_weights,
            return_activations,
            buffers,
        )
        return [*sites.weights, *(f"{method}:{name}" for method, name in sites.activations)]

    def bended_keys(self, fn: str | None = None, version: str | None = None) -> list[str]:
        """Names of all bent sites: weights by name, activations (of ``fn`` only) as ``"method:name"``."""
        keys = dict.fromkeys(key for bend in self._engine.bends for key in bend.keys)
        return [k for k in keys if fn is None or ":" not in k or k.startswith(f"{fn}:")]

    @property
    def bended_params(self) -> dict[str, list[BendingCallback]]:
        """The callbacks of each bent weight or buffer."""
        found: dict[str, list[BendingCallback]] = {}
        for bend in self._engine.bends:
            for name in bend.weights:
                found.setdefault(name, []).append(bend.callback)
        return found

    def bended_activations(self, fn: str = "forward") -> dict[str, list[BendingCallback]]:
        """The callbacks of each bent activation of a method."""
        found: dict[str, list[BendingCallback]] = {}
        for bend in self._engine.bends:
            for method, name in bend.activations:
                if method == fn:
                    found.setdefault(name, []).append(bend.callback)
        return found

    @property
    def bending_callbacks(self) -> list[BendingCallback]:
        """The callbacks of all bends, in order, each once."""
        return list({id(b.callback): b.callback for b in self._engine.bends}.values())

    def bended_weights(self) -> dict[str, Tensor]:
        """The bent weights and buffers by name, as a call would see them."""
        return self._engine.bent_tensors()

    @property
    def guard(self) -> str:
        """What happens when a callback makes NaN or infinity: ``"warn"`` (told once) or ``"raise"``."""
        return self._engine.guard

    @guard.setter
    def guard(self, value: str) -> None:
        if value not in ("warn", "raise"):
            raise CallbackError("unknown guard", wanted="'warn' or 'raise'", got=repr(value))
        self._engine.guard = value

    def refresh(self) -> None:
        """Compute bent weights anew at the next call.

        Needed only after writes that torch does not count (through ``weight.data``).
        """
        self._engine.changed()

    # -- controls -----------------------------------------------------------------------------------

    @property
    def controllables(self) -> dict[str, BendingParameter]:
        """The controls of all bends by name."""
        return {c.name: c for bend in self._engine.bends for c in bend.callback.controls()}

    def update(self, name: str, value: Any) -> None:
        """Set a control; what depends on it is computed anew at the next call.

        Raises:
            ControlError: no control has that name, or the value has the wrong type or is out of range.
        """
        known = self.controllables
        if name not in known:
            raise ControlError(
                f"there is no control {name!r}",
                site=name,
                wanted=f"one of: {', '.join(known) or 'none, no callback holds a BendingParameter'}",
                next_step="give a BendingParameter to a callback: Scale(BendingParameter('gain', 1.))",
            )
        known[name].set_value(value)

    # -- recipes ------------------------------------------------------------------------------------

    _configs: dict[str, BendingConfig]
    _config_name: str

    @property
    def config(self) -> str:
        """Name of the active recipe; setting it brings the bends of that recipe in force."""
        return self._config_name

    @config.setter
    def config(self, name: str) -> None:
        self.set_config(name)

    @config.deleter
    def config(self) -> None:
        self.set_config(DEFAULT)

    def bending_config(self, config: str | None = None) -> BendingConfig:
        """The bends in force as a recipe, or the recipe kept under a name.

        Raises:
            RecipeError: no recipe of that name was kept.
        """
        if config is None or config == self._config_name:
            return BendingConfig(*(b.bend for b in self._engine.bends), module=self)
        if config not in self._configs:
            raise RecipeError(
                f"there is no recipe {config!r}",
                wanted=f"one of: {', '.join([self._config_name, *self._configs])}",
                next_step="save_config_as(name) keeps the bends in force under a name",
            )
        return self._configs[config]

    def save_config_as(self, name: str, force: bool = False) -> None:
        """Keep the bends in force under a name too."""
        self.save_config(name, self.bending_config(), force)

    def save_config(self, name: str, config: BendingConfig, force: bool = False) -> None:
        """Keep a recipe under a name.

        Raises:
            RecipeError: the name is taken and ``force`` is not set.
        """
        if not force and (name in self._configs or name == self._config_name):
            raise RecipeError(f"a recipe {name!r} exists", next_step="pass force=True to replace it")
        self._configs[name] = BendingConfig(*config.entries)

    def set_config(self, name: str | None, *, create: bool = False) -> None:
        """Bring the bends of the recipe kept as ``name`` in force, instead of the present ones.

        The present ones stay kept under the name that they had.

        Raises:
            RecipeError: there is no recipe of that name and ``create`` is not set.
        """
        name = name or DEFAULT
        if name == self._config_name:
            return
        target = self._configs.get(name)
        if target is None:
            target = BendingConfig() if create or name == DEFAULT else self.bending_config(name)
        present = BendingConfig(*(b.bend for b in self._engine.bends))
        before = list(self._engine.bends)
        with self._engine.lock:
            self._engine.bends.clear()
            try:
                if len(target):
                    self.bend(target)
            except Exception:  # whatever is wrong with the recipe, the present bends stay
                self._engine.bends[:] = before
                self._engine.changed()
                raise
            self._engine.changed()
        self._configs[self._config_name] = present
        self._configs.pop(name, None)
        self._config_name = name

    # -- recording callbacks ------------------------------------------------------------------------

    def _recorders(self, callbacks: Sequence[BendingCallback]) -> list[BendingCallback]:
        return list(callbacks) or self.bending_callbacks

    def enable_capture(self, *callbacks: BendingCallback) -> None:
        """Let `Capture` callbacks record (those given, or all)."""
        for callback in self._recorders(callbacks):
            callback.capture()

    def disable_capture(self, *callbacks: BendingCallback) -> None:
        """Stop `Capture` callbacks from recording."""
        for callback in self._recorders(callbacks):
            callback.stop()

    @contextmanager
    def capture(self, *callbacks: Capture) -> Iterator[None]:
        """Within it, `Capture` callbacks record."""
        self.enable_capture(*callbacks)
        try:
            yield
        finally:
            self.disable_capture(*callbacks)


def exactly(name: str, fn: str | None = None) -> str:
    """A pattern that selects the site ``name`` alone."""
    return f"{fn}:{re.escape(name)}$" if fn else f"{re.escape(name)}$"
