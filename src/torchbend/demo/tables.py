"""Tables and curves of the demonstration's page: sites before and after, latents, the stage."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from torchbend.demo.instrument import Instrument, LatentPlay, LatentSpace, NamedBend
from torchbend.demo.render import put_back
from torchbend.demo.stage import Staged
from torchbend.display import Table, weight_statistics
from torchbend.plots.lines import Line, Panel
from torchbend.plots.lines_svg import lines_svg

__all__ = [
    "attributes_table",
    "bent_sites_table",
    "cost_table",
    "latent_curves",
    "latents_table",
    "played_curves",
]

_MOST_SITES = 12
_COMPONENTS = 8
_CURVES = 4
_SMOOTHED = 9
"""Frames that one point of a phrase's way on the map stands for."""


# -- bends -----------------------------------------------------------------------------------------------


def bent_sites_table(instrument: Instrument, bend: NamedBend) -> Table:
    """Mean, deviation and largest value of each bent site, before and after; at most 12 sites.

    The last column compares the change with the site's own values (root mean square of both).

    A control that moves stands in the middle of its way.

    Args:
        instrument: the model, not bent.
        bend: what to look at.
    """
    bended = instrument.bended
    rows: list[list[object]] = []
    with bended.bend(bend.recipe), put_back(bend), torch.no_grad():
        if bend.sweep is not None:
            bended.update(bend.sweep.control, bend.sweep.curve(0.5))
        for name, after in bended.bended_weights().items():
            rows.append(_row("weight", name, bended.weight(name), after))
        for method, probe in instrument.probes.items():
            patterns = [f"{name}$" for name in bended.bended_activations(method)]
            if not patterns:
                continue
            values = bended.get_activations(*patterns, fn=method, _args=(probe,), _values="both")
            rows += [_row("activation", name, before, after) for name, (before, after) in values.items()]
    columns = ("site", "name", "shape", "mean", "after", "stddev", "after", "peak", "after", "changed by")
    return Table(columns, rows[:_MOST_SITES])


def _row(kind: str, name: str, before: Tensor, after: Tensor) -> list[object]:
    old, new = weight_statistics(before), weight_statistics(after)
    peaks = [max(abs(s.min), abs(s.max)) for s in (old, new)]
    shape = " × ".join(map(str, before.shape))
    share = float((after - before).norm() / before.norm())
    numbers = [old.mean, new.mean, old.stddev, new.stddev, *peaks]
    return [kind, name, shape, *(_short(number) for number in numbers), f"{share:.0%}"]


def _short(number: float) -> float:
    return float(f"{number:.3g}")


# -- latents ---------------------------------------------------------------------------------------------


def latents_table(space: LatentSpace) -> Table:
    """The first components: how much of the variance they hold, and where each phrase moves in them.

    Args:
        space: the latents.
    """
    columns = ["component", "share of variance", "all up to here"]
    for name in space.phrases:
        columns += [f"{name}: mean", f"{name}: stddev"]
    rows: list[list[object]] = []
    before = 0.0
    for number, held in enumerate(space.fidelity[:_COMPONENTS].tolist()):
        row: list[object] = [number + 1, f"{held - before:.1%}", f"{held:.1%}"]
        for z in space.phrases.values():
            row += [_short(float(z[0, number].mean())), _short(float(z[0, number].std()))]
        rows.append(row)
        before = held
    return Table(columns, rows)


def latent_curves(space: LatentSpace) -> str:
    """The first components of each phrase over time, as SVG.

    Args:
        space: the latents.
    """
    panels = [
        Panel(
            f"{name}: the first {_CURVES} principal components",
            "seconds",
            "value",
            [_over_time(f"component {k + 1}", z, k, space) for k in range(_CURVES)],
        )
        for name, z in space.phrases.items()
    ]
    names = " and of the ".join(space.phrases)
    return lines_svg(panels, f"curves of the first {_CURVES} latent components of the {names} over time")


def played_curves(space: LatentSpace, play: LatentPlay, played: Tensor) -> str:
    """Where the latents that are played run beside those of the phrases, as SVG.

    Args:
        space: the latents.
        play: what was played; over time where it is like a phrase, else as a map of two components.
        played: its components, ``[1, n, frames]``.
    """
    everything = {**space.phrases, "played": played}
    if play.like is not None:
        panels = [
            Panel(
                f"Component {k + 1}",
                "seconds",
                "value",
                [_over_time(name, z, k, space) for name, z in everything.items()],
            )
            for k in range(2)
        ]
        return lines_svg(panels, f"components 1 and 2 of the phrases and of {play.name} over time", 130)
    lines = [_on_the_map(name, z) for name, z in space.phrases.items()]
    lines.append(Line("played", played[0, 0].numpy(), played[0, 1].numpy()))
    panel = Panel("A map of the latents", "component 1", "component 2", lines)
    return lines_svg([panel], f"component 2 against component 1 of the phrases and of {play.name}", 320)


def _on_the_map(name: str, z: Tensor) -> Line:
    """A phrase's way, smoothed, with the rough one faintly behind."""
    rough = z[:1, :2]
    smooth = torch.nn.functional.avg_pool1d(rough, min(_SMOOTHED, rough.shape[-1]), stride=1)
    behind = (rough[0, 0].numpy(), rough[0, 1].numpy())
    return Line(name, smooth[0, 0].numpy(), smooth[0, 1].numpy(), behind=behind)


def _over_time(name: str, z: Tensor, component: int, space: LatentSpace) -> Line:
    return Line(name, np.arange(z.shape[-1]) * space.frame_seconds, z[0, component].numpy())


# -- the stage -------------------------------------------------------------------------------------------


def attributes_table(staged: Staged) -> Table:
    """The controls of an exported file.

    Args:
        staged: the file.
    """
    columns = ("attribute", "value when loaded", "from", "to")
    return Table(columns, [(name, _short(value), low, high) for name, value, low, high in staged.controls])


def cost_table(staged: Staged) -> Table:
    """What a block costs, and how late it is.

    Args:
        staged: the file.
    """
    ways = {m["name"]: f"{m['in_channels']} in, {m['out_channels']} out" for m in staged.report.methods}
    rows = []
    for timing in staged.report.timings:
        (rate,) = timing.real_time
        rows.append(
            (
                timing.method,
                ways[timing.method],
                timing.block,
                _short(timing.median_ms),
                _short(timing.real_time[rate]),
                f"{timing.cpu[rate]:.0f} %",
                round(timing.latency_ms[rate]),
            )
        )
    columns = (
        "method",
        "signals",
        "block",
        "ms for a block",
        "real-time factor",
        "of one core",
        "latency, ms",
    )
    return Table(columns, rows)
