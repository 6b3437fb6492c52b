"""Select sites first, look at what was selected, then act on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from torchbend.bending.callback import BendingCallback
from torchbend.bending.similarity import cosine_clusters, mean_similarity, unit_rows
from torchbend.bending.site import Site
from torchbend.bending.sites import Sites, closest, select_sites, split_method
from torchbend.bending.statistics import DEAD_BELOW, Statistics
from torchbend.errors import CaptureError, ReplayError, ShapeError, SiteNotFoundError
from torchbend.module.bending import BendHandle
from torchbend.module.clusters import Clusters
from torchbend.module.marks import bend_marks
from torchbend.module.measuring import Measuring, channel_rows
from torchbend.module.selection import Selection

__all__ = ["Selecting"]


class Selecting(Measuring):
    """The side of a bent module that makes selections and measures them."""

    def select(
        self, pattern: str = ".*", *more: str, fn: str | None = None, buffers: bool = False
    ) -> Selection:
        """The sites that patterns select, as a value to look at, combine and act on.

        Args:
            pattern, more: regular expressions, matched from the start of a name; ``"encode:add_4$"`` names
                the method too.
            fn: only activations of this method; by default those of all traced methods.
            buffers: whether buffers are selected too.

        Raises:
            SiteNotFoundError: a pattern matches nothing; the message names the closest names.
            NotTracedError: a pattern names a method that was not traced.

        Example:
            >>> import torch, torchbend as tb
            >>> bended = tb.BendedModule(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()))
            >>> print(bended.select("0"))
            2 sites
            name      kind    fn    shape    dtype    module    source    bent
            --------  ------  ----  -------  -------  --------  --------  ------
            0.weight  weight        [3, 2]   float32  0
            0.bias    weight        [3]      float32  0
            >>> handle = bended.select("0").where(lambda site: len(site.shape) == 2).bend(tb.Scale(2.0))
            >>> handle.keys
            ['0.weight']
        """
        own = self._own_names((pattern, *more))
        found = select_sites(self._places(), self._captures, own, fn, buffers=buffers)
        return self._selection(found)

    def __getitem__(self, name: str) -> Selection:
        """The one site of a name, as a selection; in a notebook the tab key completes the name.

        Args:
            name: of a weight, a buffer or an activation; ``"encode:add_4"`` names the method too.

        Raises:
            SiteNotFoundError: there is no such site, or several methods have one.

        Example:
            >>> import torch, torchbend as tb
            >>> bended = tb.BendedModule(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()))
            >>> bended["0.weight"].bend(tb.Scale(2.0)).keys
            ['0.weight']
        """
        if not isinstance(name, str):
            raise SiteNotFoundError(
                "a site is found by its name",
                wanted="a text",
                got=f"{type(name).__name__} {name!r}"[:80],
                next_step="bended.select() gives all sites, one after the other",
            )
        fn = "forward"
        if name not in self._places() and split_method(name)[0] is None:
            holders = [method for method, held in self._captures.items() if name in held.activations]
            if len(holders) > 1:
                raise SiteNotFoundError(
                    f"several methods have an activation {name!r}",
                    site=name,
                    wanted="one of: " + ", ".join(f"{method}:{name}" for method in holders),
                )
            fn = holders[0] if holders else fn
        return Selection(self, [self._named(name, fn)])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(
            name in (known, known.partition(":")[2]) for known in self._ipython_key_completions_()
        )

    def _ipython_key_completions_(self) -> list[str]:
        places = self._places()
        activations = [f"{fn}:{name}" for fn, held in self._captures.items() for name in held.activations]
        return [*places.weights, *places.buffers, *activations]

    def _selection(self, found: Sites) -> Selection:
        places = self._places()
        sites = []
        with torch.no_grad():
            for name in found.weights:
                kind = "weight" if name in places.weights else "buffer"
                place = places[name]
                tensor = place.read() if place.outline is None else place.outline
                shape = None if is_lazy(tensor) else tensor.shape
                sites.append(Site(name, kind, None, shape, tensor.dtype, name.rpartition(".")[0]))
        for fn, name in found.activations:
            a = self._captures[fn].activations[name]
            sites.append(Site(name, "activation", fn, a.shape, a.dtype, a.module_path, a.source))
        return Selection(self, sites)

    def stats(
        self,
        *patterns: str,
        fn: str = "forward",
        inputs: Any = None,
        buffers: bool = False,
        dim: int | None = None,
        dead_below: float = DEAD_BELOW,
        progress: bool | None = None,
        **named_inputs: Any,
    ) -> Statistics:
        """Statistics of weights, and of activations over inputs: a table that prints.

        The model runs as it is bent now, without gradients, and stops after the last activation asked for;
        its buffers and the random state are as before afterwards. Nothing is kept but numbers, so any number
        of inputs will do.

        Args:
            patterns: which sites; all activations of ``fn`` by default.
            fn: the method whose activations are meant, where a pattern names none.
            inputs: a list (or any iterable) of inputs: a tensor, a tuple of arguments, or a dict of arguments
                by name; or one such tensor or dict. Not needed for weights.
            buffers: whether buffers are selected too.
            dim: the dimension of the channels; None: dim 1 of an activation (dim 0 of a 1-D one), dim 0 of a
                weight. Give -1 where the channels come last, as in transformers.
            dead_below: a channel is dead if none of its values, over all inputs, is further from zero.
            progress: show a bar; None: only on a terminal, when it takes long.
            named_inputs: the arguments of one input by name; with ``inputs``, given with each of them.

        Returns:
            For each site: min, max, mean and standard deviation (n - 1) of its finite values, the share of
            dead channels, the share of values that are not finite.

        Raises:
            SiteNotFoundError: a pattern matches nothing.
            NotTracedError: the method was not traced.
            CaptureError: activations are selected and no input is given.

        Example:
            >>> import torch, torchbend as tb
            >>> bended = tb.BendedModule(torch.nn.Sequential(torch.nn.ReLU()))
            >>> graph = bended.trace(torch.ones(1, 2))
            >>> found = bended.stats("_0", inputs=[torch.tensor([[-1.0, 3.0]]), torch.tensor([[-2.0, 1.0]])])
            >>> found["_0"].max, found["_0"].mean, found["_0"].dead
            (3.0, 1.0, 0.5)
        """
        if patterns:
            chosen = self._of_method(patterns, fn, buffers)
        else:
            self._capture_of(fn)
            chosen = self.select(fn=fn).only("activations")
        return self._stats_of(chosen, inputs, named_inputs, dim, dead_below, progress)

    def similar_channels(
        self,
        name: str,
        fn: str = "forward",
        threshold: float = 0.9,
        inputs: Any = None,
        *,
        dim: int | None = None,
        singletons: bool = False,
        progress: bool | None = None,
        **named_inputs: Any,
    ) -> Clusters:
        """Clusters of channels that do the same: those linked by a cosine similarity above a threshold.

        Channels of a weight are compared by their values, channels of an activation by their values over all
        inputs, as the model is bent now. Channels of zeros are like no other.

        Args:
            name: of a weight, a buffer, or an activation (``"encode:add_4"`` names the method too).
            fn: the method of an activation.
            threshold: from -1 to 1.
            inputs: as of `stats`; not needed for a weight.
            dim: the dimension of the channels; None: dim 1 of an activation, dim 0 of a weight.
            singletons: list channels that are like no other too.
            progress: show a bar; None: only on a terminal, when it takes long.
            named_inputs: the arguments of one input by name; with ``inputs``, given with each of them.

        Returns:
            Lists of channels, the largest first; ``.bend(callback, which=0)`` bends one of them.

        Raises:
            SiteNotFoundError: there is no site of that name.
            CaptureError: an activation is named and no input is given, or the threshold is out of range.
            ShapeError: the site has no such dimension, or its channels differ in number between inputs.
            ReplayError: the activation occurs in none of the inputs.

        Example:
            >>> import torch, torchbend as tb
            >>> bended = tb.BendedModule(torch.nn.Linear(2, 4, bias=False))
            >>> with torch.no_grad():
            ...     _ = bended.module.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [2, 0], [1, 1]]))
            >>> clusters = bended.similar_channels("weight")
            >>> clusters.channels
            [[0, 2]]
            >>> clusters.bend(tb.Scale(0.0)).keys
            ['weight']
        """
        if not -1 <= threshold <= 1:
            raise CaptureError("a cosine similarity lies between -1 and 1", site="threshold", got=threshold)
        site = self._named(name, fn)
        parts: list[Tensor] = []
        chosen = Selection(self, [site])
        self._measure(
            chosen, inputs, named_inputs, lambda _, x: parts.append(channel_rows(x, site, dim)), progress
        )
        if not parts:
            raise ReplayError(
                "the activation occurs in none of the inputs",
                site=site.label,
                next_step=f"trace {site.fn!r} again with such an input",
            )
        counts = sorted({len(part) for part in parts})
        if len(counts) > 1:
            raise ShapeError(
                "the number of channels differs between inputs",
                site=site.label,
                wanted=f"{counts[0]} channels",
                got=f"{counts[-1]} channels",
                next_step="give the dimension of the channels: dim=-1 where they come last",
            )
        units = unit_rows(torch.cat(parts, 1))
        groups = [g for g in cosine_clusters(units, threshold) if singletons or len(g) > 1]
        likeness = [mean_similarity(units, g) if len(g) > 1 else float("nan") for g in groups]
        return Clusters(chosen, groups, likeness, threshold, counts[0], dim)

    # -- finding sites ------------------------------------------------------------------------------

    def _of_method(self, patterns: Sequence[str], fn: str, buffers: bool) -> Selection:
        """What patterns select among weights and the activations of one method, traced or not."""
        chosen = Selection(self, [])
        for pattern in self._own_names(patterns):
            named = split_method(pattern)[0] is not None
            captures = self._captures if named or fn in self._captures else {}
            method = fn if captures and not named else None
            chosen |= self._selection(
                select_sites(self._places(), captures, [pattern], method, buffers=buffers)
            )
        return chosen

    def _named(self, name: str, fn: str) -> Site:
        """The one site of a name or label."""
        places = self._places()
        method, rest = split_method(name)
        if name in places:
            return self._selection(Sites([name])).one()
        method = method or fn
        known = self._captures[method].activations if method in self._captures else {}
        if rest in known:
            weight = known[rest].weight
            found = Sites([weight]) if weight is not None else Sites([], [(method, rest)])
            return self._selection(found).one()
        like = closest(rest, [*places.weights, *places.buffers, *known])
        raise SiteNotFoundError(
            f"there is no site {name!r}",
            site=name,
            wanted=f"closest names: {', '.join(like)}" if like else None,
            next_step="print_weights() and print_activations() list every name"
            if known
            else f"weights are listed by print_weights(); activations exist after trace({method!r}, ...)",
        )

    def _marks_by_label(self) -> dict[str, str]:
        return bend_marks(self._engine.bends, self._places())

    # -- acting on them -----------------------------------------------------------------------------

    def _bend_sites(self, callback: BendingCallback, chosen: Selection) -> BendHandle:
        """Bend exactly these sites, by one entry of the recipe wherever patterns can say as much."""
        patterns = [site.pattern for site in chosen]
        buffers = any(site.kind == "buffer" for site in chosen)
        found = select_sites(self._places(), self._captures, patterns, buffers=buffers)
        if [*found.weights, *(f"{fn}:{name}" for fn, name in found.activations)] == chosen.labels:
            return self.bend(callback, *patterns, buffers=buffers)
        # An activation has the name of one of the weights: only apart can they be told apart.
        handles = []
        for part, activations in (
            (chosen.only("weights", "buffers"), False),
            (chosen.only("activations"), True),
        ):
            serves = callback.activation_compatible if activations else callback.weight_compatible
            if len(part) and serves:
                exact = [site.pattern for site in part]
                handles.append(
                    self.bend(
                        callback, *exact, buffers=buffers, bend_graph=activations, bend_param=not activations
                    )
                )
        if not handles:
            return self.bend(callback, *patterns, buffers=buffers)  # tells what it does not serve
        return BendHandle(self, [applied for handle in handles for applied in handle._applied])
