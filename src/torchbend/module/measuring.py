"""The values of sites: for one input, or for many, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.measuring import Meter, state_kept
from torchbend.bending.site import Site, channel_axis
from torchbend.bending.statistics import Accumulator, Statistics
from torchbend.display.progress import tracked
from torchbend.errors import CaptureError, ShapeError
from torchbend.module.bending import Bending
from torchbend.module.inputs import as_arguments, as_inputs
from torchbend.module.tracing import Tracing

__all__ = ["Measuring", "channel_rows"]


class Measuring(Tracing, Bending):
    """The side of a bent module that gets at the values of any sites."""

    def _values_of(
        self, chosen: Sequence[Site], args: tuple[Any, ...], named: dict[str, Any], values: str
    ) -> dict[str, Any]:
        """The values of sites for one input."""
        if values not in ("bent", "original", "both"):
            raise CaptureError("unknown kind of values", wanted="'bent', 'original' or 'both'", got=values)
        methods = {site.fn for site in chosen if site.fn is not None}
        found: dict[str, Any] = {}
        for fn in sorted(methods):
            names = [site.name for site in chosen if site.fn == fn]
            taken = self._collect(names, fn, values, args, dict(named))
            found.update({f"{fn}:{name}": value for name, value in taken.items()})
        for site in chosen:
            if not site.is_activation:
                own, bent = self._weight_values(site.name)
                found[site.label] = {"original": own, "bent": bent, "both": (own, bent)}[values]
        plain, labels = [site.name for site in chosen], [site.label for site in chosen]
        names = labels if len(methods) > 1 or len(set(plain)) < len(plain) else plain
        return {name: found[label] for name, label in zip(names, labels, strict=True)}

    def _weight_values(self, name: str) -> tuple[Tensor, Tensor]:
        """A weight or buffer, as it is and as it is bent."""
        with torch.no_grad():
            own = self._places()[name].read().detach()
        return own, self._engine.bent_tensors().get(name, own).detach()

    def _stats_of(
        self,
        chosen: Sequence[Site],
        inputs: Any,
        named: dict[str, Any],
        dim: int | None,
        dead_below: float,
        progress: bool | None,
    ) -> Statistics:
        found = {site: Accumulator(site, dim, dead_below) for site in chosen}
        self._measure(chosen, inputs, named, lambda site, x: found[site].add(x), progress)
        return Statistics(tuple(accumulator.result() for accumulator in found.values()), dead_below)

    def _measure(
        self,
        chosen: Sequence[Site],
        inputs: Any,
        named: dict[str, Any],
        receive: Callable[[Site, Tensor], None],
        progress: bool | None,
    ) -> None:
        """Hand each weight once, and each activation once for each input, to a function."""
        for site in chosen:
            if not site.is_activation:
                receive(site, self._weight_values(site.name)[1])
        by_method: dict[str, dict[str, Site]] = {}
        for site in chosen:
            if site.fn is not None:
                by_method.setdefault(site.fn, {})[site.name] = site
        if not by_method:
            return
        given = as_inputs(inputs, named)
        count = 0
        with torch.no_grad(), self._engine.lock, state_kept(self.module):
            for item in tracked(given, "inputs", progress):
                count += 1
                args, kwargs = as_arguments(item, named)
                for fn, sites in by_method.items():
                    known = self._capture_of(fn).activations
                    self._run_until(
                        _meter(fn, {n: known[n] for n in sites}, sites, receive), fn, args, kwargs
                    )
        if not count:
            raise CaptureError("the list of inputs is empty", wanted="at least one input")


def _meter(
    fn: str, activations: dict[str, Any], sites: dict[str, Site], receive: Callable[[Site, Tensor], None]
) -> Meter:
    return Meter(fn, activations, lambda name, x: receive(sites[name], x))


def channel_rows(x: Tensor, site: Site, dim: int | None) -> Tensor:
    """A copy of a tensor's values as real numbers, one row for each channel."""
    axis = channel_axis(x.dim(), site.is_activation) if dim is None else dim
    if axis is None or not -x.dim() <= axis < x.dim():
        raise ShapeError(
            "the site has no such dimension of channels",
            site=site.label,
            wanted=f"dim in [{-x.dim()}, {x.dim() - 1}]" if x.dim() else "a tensor with channels",
            got=f"dim={dim}, shape {tuple(x.shape)}",
            next_step="give another dim=",
        )
    x = x.detach()
    if x.layout != torch.strided:
        x = x.to_dense()
    rows = x.movedim(axis, 0)
    if x.is_complex():
        rows = torch.view_as_real(rows.resolve_conj())
    if not rows.is_floating_point() or rows.itemsize < 4:
        rows = rows.float()
    return rows.reshape(x.shape[axis], -1).clone()
