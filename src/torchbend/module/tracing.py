"""Trace methods, and get at the values inside them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, fx, nn

from torchbend.bending.callback import BendingCallback
from torchbend.bending.collect import Collector, Stop
from torchbend.bending.replay import bend_replay
from torchbend.bending.site_state import SiteState
from torchbend.bending.sites import matching, not_found, split_method
from torchbend.capture import capture, graph_module
from torchbend.capture.structure import bind_inputs
from torchbend.errors import CaptureError, ReplayError, SiteNotFoundError
from torchbend.module.core import Core

__all__ = ["Tracing"]

logger = logging.getLogger("torchbend")


class Tracing(Core):
    """The side of a bent module that captures graphs and reads or replaces activations."""

    def trace(
        self,
        *args: Any,
        fn: str | None = None,
        _return_out: bool = False,
        _proxied_buffers: Any = None,
        _no_tensor_for_args: Any = None,
        **inputs: Any,
    ) -> Any:
        """Call a method once, for real, and keep its graph: its activations can then be named and bent.

        ``trace(x)``, ``trace(x=x)``, ``trace("encode", x)`` and ``trace(fn="encode", x=x)`` all work. Several
        methods can be traced; tracing one again replaces it. Nothing in the module changes.

        Args:
            args: the method's arguments; a text that names a method comes first and chooses it.
            fn: the method; ``"forward"`` by default.
            _return_out: also return what the method returned.
            inputs: the method's arguments by name.

        Returns:
            The graph, or ``(graph, out)``.

        Raises:
            CaptureError: there is no such method, or the arguments do not fit it.

        Example:
            >>> import torch, torchbend as tb
            >>> bended = tb.BendedModule(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh()))
            >>> graph = bended.trace(torch.ones(1, 2))
            >>> bended.activation_names(), list(bended.activation_shape("_0"))
            (['input_1', '_0', '_1'], [1, 3])
        """
        if fn is None and args and isinstance(args[0], str):
            fn, args = args[0], args[1:]
        fn = fn or "forward"
        with self._engine.lock:
            captured, out = capture(self.module, fn, args, inputs)
            self._captures[fn] = captured
            self._rebind(fn)
            self._engine.changed()
        return (captured.graph, out) if _return_out else captured.graph

    def _rebind(self, fn: str) -> None:
        """Keep the bends of activations whose names the new graph of ``fn`` still has."""
        known = self._captures[fn].activations
        for bend in self._engine.bends:
            gone = [name for f, name in bend.activations if f == fn and name not in known]
            if gone:
                logger.warning(
                    "%r: no longer in %s(), not bent any more: %s", bend.callback, fn, ", ".join(gone)
                )
                bend.activations = [(f, n) for f, n in bend.activations if f != fn or n in known]

    def graph_module(
        self, fn: str = "forward", module: nn.Module | None = None, make_jit_compatible: bool = False
    ) -> fx.GraphModule:
        """The captured graph of a method as a ``GraphModule`` that shares the weights and is not bent.

        It checks what the graph takes for granted, and refuses an input that the graph does not cover.

        Args:
            fn: name of the method.
            module: take the weights from this one instead.
            make_jit_compatible: leave the checks out (TorchScript cannot compile them).
        """
        return graph_module(module or self.module, self._capture_of(fn), checks=not make_jit_compatible)

    def get_activations(
        self,
        *patterns: str,
        fn: str = "forward",
        _values: str = "bent",
        _args: tuple[Any, ...] = (),
        _return_graph: bool = False,
        _save_as_method: str | None = None,
        _filter_bended: bool = True,
        **inputs: Any,
    ) -> Any:
        """Run a method up to the last of the activations asked for, and return them.

        Args:
            patterns: regular expressions, matched from the start of the names of the method's activations.
            fn: name of the method.
            _values: ``"bent"``, ``"original"`` (before the bends of that very site), or ``"both"``: pairs
                ``(original, bent)``.
            _args: the method's arguments by position.
            _return_graph: also return the method's graph.
            _save_as_method: keep this as a method of this name, which takes the inputs.
            _filter_bended: False is the same as ``_values="both"``.
            inputs: the method's arguments by name.

        Returns:
            Values by name, in the order of the patterns, then of the program.

        Raises:
            NotTracedError: the method was not traced.
            SiteNotFoundError: a pattern matches no activation.
            ReplayError: this input takes a branch on which an activation does not occur.

        Example:
            >>> import torch, torchbend as tb
            >>> bended = tb.BendedModule(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Hardtanh()))
            >>> graph = bended.trace(torch.ones(3))
            >>> x = torch.tensor([-1.0, 0.5, 2.0])
            >>> found = bended.get_activations("_0", "_1", _args=(x,))
            >>> {name: value.tolist() for name, value in found.items()}
            {'_0': [0.0, 0.5, 2.0], '_1': [0.0, 0.5, 1.0]}
        """
        values = _values if _filter_bended else "both"
        if values not in ("bent", "original", "both"):
            raise CaptureError("unknown kind of values", wanted="'bent', 'original' or 'both'", got=values)
        captured = self._capture_of(fn)
        if not patterns:
            raise SiteNotFoundError(
                "no activation was asked for",
                site=fn,
                wanted="at least one pattern",
                next_step="get_activations('.*', ...) gives all; print_activations() lists them",
            )
        names = self._activations_matching(patterns, fn)
        if _save_as_method is not None:
            self._keep(_save_as_method, partial(self._collect_named, names, fn, values, _args))
            if not inputs and not _args:
                return captured.graph
        found = self._collect(names, fn, values, _args, inputs)
        return (found, captured.graph) if _return_graph else found

    def _activations_matching(self, patterns: tuple[str, ...], fn: str) -> list[str]:
        known = self._capture_of(fn).activations
        names: dict[str, None] = {}
        for pattern in patterns:
            method, rest = split_method(pattern)
            found = matching(known, rest) if method in (None, fn) else []
            if not found:
                raise not_found(pattern, self._places(), self._captures, fn)
            names.update(dict.fromkeys(found))
        return list(names)

    def _collect(
        self, names: list[str], fn: str, values: str, args: tuple[Any, ...], inputs: dict[str, Any]
    ) -> dict[str, Any]:
        known = self._capture_of(fn).activations
        live = tuple(n for n in names if known[n].address is not None)
        read = [n for n in names if known[n].address is None]
        found: dict[str, Any] = dict(zip(read, self._weights_for(read, fn, values), strict=True))
        if live:
            with self._engine.lock:
                self._engine.compile()
                key = ("collector", live, fn, values)
                collector = self._engine.memo.get(key) or Collector(fn, {n: known[n] for n in live}, values)
                self._engine.memo[key] = collector
                collector.restart()
                self._run_until(collector, fn, args, inputs)
                found.update(collector.found())
                collector.restart()  # hold no activation longer than it is wanted
        return {name: found[name] for name in names}

    def _run_until(
        self, collector: Collector, fn: str, args: tuple[Any, ...], inputs: Mapping[str, Any]
    ) -> None:
        """Run a method with a collector's actions, up to the last of what it wants."""
        extra = self._engine.extra_names
        bound = bind_inputs(self.module, fn, args, {k: v for k, v in inputs.items() if k not in extra})
        kwargs = {**bound.kwargs, **{k: v for k, v in inputs.items() if k in extra}}
        function = self.module if fn == "forward" else getattr(self.module, fn)
        try:
            self._engine.call_with(fn, function, bound.args, kwargs, collector)
        except Stop as stop:
            if stop.collector is not collector:
                raise

    def _collect_named(
        self, names: list[str], fn: str, values: str, args: tuple[Any, ...], *more: Any, **inputs: Any
    ) -> dict[str, Any]:
        return self._collect(names, fn, values, (*args, *more), inputs)

    def _weights_for(self, names: list[str], fn: str, values: str) -> list[Any]:
        """What the activations that only read a weight give: that weight."""
        if not names:
            return []
        places, bent = self._places(), self._engine.bent_tensors()
        result: list[Any] = []
        for name in names:
            weight = str(self._capture_of(fn).activations[name].weight)
            own = places[weight].read().detach()
            pair = own, bent.get(weight, own)
            result.append({"original": pair[0], "bent": pair[1], "both": pair}[values])
        return result

    def from_activations(
        self,
        *names: str,
        fn: str = "forward",
        callbacks: Any = None,
        _return_graph: bool = False,
        _save_as_method: str | None = None,
        **inputs: Any,
    ) -> Any:
        """Run the rest of a method from given activations on.

        The captured graph is cut at the given activations; what lies behind them runs with all bends in
        force. The bends of the given activations themselves are applied to what you give.

        Args:
            names: names of the activations to start from.
            fn: name of the method.
            callbacks: a callback for each name (a list), or by name (a dict), applied to what you give.
            _return_graph: also return the method's graph.
            _save_as_method: keep this as a method of this name, which takes the inputs.
            inputs: a value for each name; arguments of the method that the rest still needs; inputs of
                callbacks (``interp_weights``).

        Returns:
            What the method returns.

        Raises:
            ReplayError: a value is missing, or the graph does not cover this input.

        Example:
            >>> import torch, torchbend as tb
            >>> bended = tb.BendedModule(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Hardtanh()))
            >>> graph = bended.trace(torch.ones(3))
            >>> bended.from_activations("_0", _0=torch.tensor([-5.0, 0.25, 5.0])).tolist()
            [-1.0, 0.25, 1.0]
        """
        for name in names:
            self._activation(name, fn)
        by_name = (
            dict(zip(names, callbacks, strict=False)) if isinstance(callbacks, (list, tuple)) else callbacks
        )
        if isinstance(callbacks, BendingCallback):
            by_name = dict.fromkeys(names, callbacks)
        states = {name: SiteState(name, "activation", fn) for name in names}
        run = partial(self._run_from, names, fn, by_name or {}, states)
        if _save_as_method is not None:
            self._keep(_save_as_method, run)
            if not inputs:
                return self._capture_of(fn).graph
        result = run(**inputs)
        return (result, self._capture_of(fn).graph) if _return_graph else result

    def _run_from(
        self,
        names: tuple[str, ...],
        fn: str,
        callbacks: Mapping[str, BendingCallback],
        states: Mapping[str, SiteState],
        **inputs: Any,
    ) -> Any:
        missing = [n for n in names if n not in inputs]
        if missing:
            raise ReplayError(
                f"no value for {', '.join(missing)}",
                site=f"{fn}:{missing[0]}",
                wanted=f"{missing[0]}=<a tensor like {tuple(self._activation(missing[0], fn).shape)}>",
                next_step="pass a value for each activation by its name; **{'lstm[0]': x} for a part",
            )
        given: dict[str, Tensor] = {n: inputs.pop(n) for n in names}

        self._engine.compile()
        for name, callback in callbacks.items():
            given[name] = self._engine.apply(callback, given[name], states[name], inputs)
        return bend_replay(self._engine, fn, given, inputs)

    def _keep(self, name: str, run: Callable[..., Any]) -> None:
        if not name.isidentifier() or hasattr(type(self), name) or hasattr(self.module, name):
            raise CaptureError(
                f"a method cannot be kept as {name!r}",
                wanted="an identifier that is not taken",
                got=name,
                next_step="choose another name for _save_as_method",
            )
        self.__dict__[name] = run
