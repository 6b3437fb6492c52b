"""Look into a model: its weights, its graphs, its activations, as values and as tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.nn.parameter import is_lazy

from torchbend.bending.sites import closest, matching
from torchbend.capture import Activation
from torchbend.display import SiteRow, Table, emit, graph_table, module_tree_html, weights_table
from torchbend.display.table import TextWriter
from torchbend.errors import SiteNotFoundError
from torchbend.module.core import Core
from torchbend.module.marks import bend_marks

__all__ = ["Looking"]

Out = str | os.PathLike[str] | TextWriter | None
Patterns = str | Sequence[str] | None


def _kept(names: list[str], flt: Patterns, exclude: Patterns) -> list[str]:
    """The names that one of ``flt`` matches and none of ``exclude`` does, in their order."""
    wanted = [flt] if isinstance(flt, str) else list(flt or [".*"])
    unwanted = [exclude] if isinstance(exclude, str) else list(exclude or [])
    chosen = {n for p in wanted for n in matching(names, p)}
    dropped = {n for p in unwanted for n in matching(names, p)}
    return [n for n in names if n in chosen and n not in dropped]


def _opcodes(op: Patterns) -> set[str] | None:
    """The opcodes to keep; ``None`` for all."""
    return None if op is None else {op} if isinstance(op, str) else set(op)


class Looking(Core):
    """The side of a bent module that shows what is there."""

    # -- weights ------------------------------------------------------------------------------------

    @property
    def weight_names(self) -> list[str]:
        """Names of all weights: parameters, each under all its names, and weights computed from parts."""
        return list(self._places().weights)

    @property
    def buffer_names(self) -> list[str]:
        """Names of all buffers, and of tensors that modules keep as plain attributes."""
        return list(self._places().buffers)

    def weight(self, name: str) -> Tensor:
        """The module's own weight or buffer called ``name``.

        Raises:
            SiteNotFoundError: there is none of that name.
        """
        places = self._places()
        if name not in places:
            raise SiteNotFoundError(
                f"there is no weight {name!r}",
                site=name,
                wanted=f"closest names: {', '.join(closest(name, [*places.weights, *places.buffers]))}",
                next_step="print_weights() lists them",
            )
        return places[name].read()

    def weight_shape(self, name: str) -> torch.Size:
        """Shape of the weight or buffer called ``name``."""
        return torch.Size(self.weight(name).shape)

    def print_weights(self, flt: Patterns = ".*", exclude: Patterns = None, out: Out = None) -> str:
        """Print a table of the weights: name, shape, dtype, min, max, mean, standard deviation.

        Args:
            flt: regular expression, or several, that a name must match from its start.
            exclude: regular expressions of names to leave out.
            out: a path or a file to write to instead.

        Returns:
            The table as text.
        """
        places = self._places()
        names = _kept(list(places.weights), flt, exclude)
        return emit(weights_table((n, places.weights[n].read()) for n in names), out)

    def print_buffers(self, flt: Patterns = ".*", exclude: Patterns = None, out: Out = None) -> str:
        """Print the same table of the buffers."""
        places = self._places()
        names = _kept(list(places.buffers), flt, exclude)
        return emit(weights_table((n, places.buffers[n].read()) for n in names), out)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """The wrapped module's parameters, under its own names."""
        return self.module.named_parameters(prefix, recurse, remove_duplicate)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The wrapped module's buffers, under its own names."""
        return self.module.named_buffers(prefix, recurse, remove_duplicate)

    # -- graphs and activations ---------------------------------------------------------------------

    def is_traced(self, fn: str = "forward") -> bool:
        """Whether the method ``fn`` has been traced."""
        return fn in self._captures

    def graph(self, fn: str = "forward", bended: bool = False) -> fx.Graph:
        """The captured graph of a method.

        Args:
            fn: name of the method.
            bended: with a node for each bend behind the activation that it bends.

        Raises:
            NotTracedError: the method was not traced.
        """
        return self.bend_graph(fn) if bended else self._capture_of(fn).graph

    def bend_graph(self, fn: str = "forward") -> fx.Graph:
        """The captured graph of a method, with a node for each bend of an activation."""
        from torchbend.module.bent_graph import bent_graph

        return bent_graph(self._capture_of(fn), self._engine.bends)

    def activations(
        self, fn: str = "forward", op: Patterns = None, flt: Patterns = None, exclude: Patterns = None
    ) -> dict[str, Activation]:
        """The activations of a traced method by name.

        Args:
            fn: name of the method.
            op: opcodes to keep (``"call_module"``, ...).
            flt: regular expressions that a name must match from its start.
            exclude: regular expressions of names to leave out.
        """
        known = self._capture_of(fn).activations
        ops = _opcodes(op)
        names = [n for n, a in known.items() if ops is None or a.op in ops]
        return {n: known[n] for n in _kept(names, flt, exclude)}

    def activation_names(self, fn: str = "forward") -> list[str]:
        """Names of the activations of a traced method, in the order of the program."""
        return list(self._capture_of(fn).activations)

    def activation_shape(self, name: str, fn: str = "forward") -> torch.Size:
        """Shape that an activation had in the traced call."""
        return self._activation(name, fn).shape

    def print_activations(
        self,
        fn: str = "forward",
        op: Patterns = None,
        flt: Patterns = None,
        exclude: Patterns = None,
        out: Out = None,
    ) -> str:
        """Print a table of the activations of a traced method: name, op, target, shape, dtype, where.

        Returns:
            The table as text.
        """
        found = self.activations(fn, op, flt, exclude)
        rows = [
            (a.name, a.op, a.target, str(a.shape), str(a.dtype), a.module_path, a.source)
            for a in found.values()
        ]
        return emit(Table(("name", "op", "target", "shape", "dtype", "module", "source"), rows), out)

    def print_graph(
        self,
        fn: str = "forward",
        op: Patterns = None,
        flt: Patterns = None,
        exclude: Patterns = None,
        out: Out = None,
    ) -> str:
        """Print the graph of a traced method: one row per node.

        Returns:
            The table as text.
        """
        graph = self.graph(fn)
        ops = _opcodes(op)
        nodes = {n.name: n for n in graph.nodes if ops is None or n.op in ops}
        return emit(graph_table(graph, [nodes[n] for n in _kept(list(nodes), flt, exclude)]), out)

    # -- in a notebook ------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What is known of the model, and what is bent: the line above its modules."""
        weights = sum(w.numel() for w in self.module.parameters() if not is_lazy(w))
        held = [f"{fn} ({len(known.activations)} activations)" for fn, known in self._captures.items()]
        traced = f"traced: {', '.join(held)}" if held else "not traced"
        bends = self._engine.bends
        keys = list(dict.fromkeys(key for bend in bends for key in bend.keys))
        shown = ", ".join(keys[:6]) + ", ..." * (len(keys) > 6)
        bent = f"{len(bends)} bend{'s' * (len(bends) != 1)}: {shown}" if bends else "not bent"
        return f"{weights:,} weights; {traced}; {bent}"

    def _repr_html_(self) -> str:
        marks = bend_marks(self._engine.bends, self._places())
        rows = []
        for fn, name in dict.fromkeys(site for bend in self._engine.bends for site in bend.activations):
            known, label = self._captures[fn].activations[name], f"{fn}:{name}"
            rows.append((known.module_path, SiteRow(label, known.shape, "activation", marks.pop(label))))
        return module_tree_html(self.module, bent=marks, activations=rows)

    def __dir__(self) -> list[str]:
        own: list[Any] = list(super().__dir__())  # type: ignore[no-untyped-call]
        return sorted({*own, *dir(self.module)})
