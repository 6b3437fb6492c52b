"""The activations of a run: of one call, or of everything that is computed while a known model renders."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.site import Site
from torchbend.bending.site_state import SiteState
from torchbend.bending.statistics import Accumulator, Statistics
from torchbend.cli.models import told_as
from torchbend.cli.outputs import flat
from torchbend.cli.subject import Subject
from torchbend.display import Table
from torchbend.errors import SiteNotFoundError
from torchbend.interfaces.base import BendingInterface
from torchbend.module.bending import exactly

__all__ = ["seen"]


def seen(
    subject: Subject, patterns: Sequence[str], options: dict[str, Any], seed: int, stats: bool
) -> tuple[dict[str, Tensor], Table | None]:
    """The activations that the patterns select, by name.

    Args:
        subject: the model with its inputs.
        patterns: which activations.
        options: of `render`, where a known model renders.
        seed: likewise.
        stats: whether statistics are wanted.

    Returns:
        The tensors; and a table of statistics, where they are wanted.

    Raises:
        TorchbendError: a pattern matches nothing, or the run failed.
    """
    model = subject.interface
    if model is None or subject.method is not None:
        return _of_a_call(subject, patterns, stats)
    return _of_rendering(model, subject.texts, patterns, options, seed, stats)


def _of_a_call(
    subject: Subject, patterns: Sequence[str], stats: bool
) -> tuple[dict[str, Tensor], Table | None]:
    bended, given, call = subject.bended, subject.inputs, subject.method or "forward"
    measured = None
    with torch.no_grad(), told_as("the model does not run with these inputs", f"{call}()"):
        found = bended.get_activations(*patterns, fn=call, _args=tuple(given.in_order), **given.by_name)
        if stats:
            positional = [tuple(given.in_order)] if given.in_order else None
            sites = [exactly(name, call) for name in found]
            measured = bended.stats(*sites, fn=call, inputs=positional, **given.by_name).table()
    tensors = {path: tensor for name, value in found.items() for path, tensor in flat(value, name).items()}
    return tensors, measured


class _Watch(BendingCallback):
    """Lets activations through, and keeps each of them."""

    weight_compatible = False
    jit_compatible = False
    nntilde_compatible = False
    writes_in_place = False

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, list[Tensor]] = {}

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` itself."""
        self.kept.setdefault(site.label, []).append(x.detach().cpu().clone())
        return x


def _of_rendering(
    model: BendingInterface,
    texts: Sequence[str],
    patterns: Sequence[str],
    options: dict[str, Any],
    seed: int,
    stats: bool,
) -> tuple[dict[str, Tensor], Table | None]:
    watch = _Watch()
    sites = {site.label: site for site in model.select(*patterns).only("activations")}
    if not sites:
        raise SiteNotFoundError(
            "no activation was asked for",
            site=", ".join(patterns),
            wanted=f"activations of {', '.join(model.bent_methods)}",
            next_step='"torchbend inspect MODEL --activations" lists them',
        )
    model.bend(watch, *(site.pattern for site in sites.values()))
    ending = next(iter(type(model).writes), "")
    with tempfile.TemporaryDirectory() as folder, told_as("nothing could be rendered", "render()"):
        torch.manual_seed(seed)
        model.render(Path(folder) / f"seen{ending}", texts, seed=seed, **options)
    tensors: dict[str, Tensor] = {}
    for label, values in watch.kept.items():
        tensors |= _joined(label, values)
    return tensors, _statistics(sites, watch.kept) if stats else None


def _statistics(sites: dict[str, Site], kept: dict[str, list[Tensor]]) -> Table:
    gathered = []
    for label, values in kept.items():
        accumulator = Accumulator(sites[label])
        for value in values:
            accumulator.add(value)
        gathered.append(accumulator.result())
    return Statistics(tuple(gathered)).table()


def _joined(label: str, values: list[Tensor]) -> dict[str, Tensor]:
    """One tensor of all, one after the other along dim 0; or each by itself where shapes differ."""
    if len({value.shape[1:] for value in values}) == 1 and values[0].dim():
        return {label: torch.cat(values)}
    return {f"{label}.{number}": value for number, value in enumerate(values)}
