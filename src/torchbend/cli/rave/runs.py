"""``torchbend rave runs``: where all trainings are."""

from __future__ import annotations

import json
import math
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torchbend.display import Table
    from torchbend.training.overview import RunState

__all__ = ["runs"]


class Order(str, Enum):
    """What runs can be sorted by."""

    name = "name"
    moved = "moved"
    step = "step"
    validation = "validation"


def runs(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder of all runs, or of one.", show_default="runs")
    ] = Path("runs"),
    sort: Annotated[
        Order,
        typer.Option("--sort", help="name, moved (the latest first), step, or validation (least first)."),
    ] = Order.name,
    as_json: Annotated[bool, typer.Option("--json", help="Print all values as data.")] = False,
) -> None:
    """List all runs: where they are, their losses, how fast they go, and when they will be done.

    Reads what runs have written, and disturbs none. Whether one runs is told by its files: "runs" where they
    moved lately, "stands" where they did not. A run that cannot be read is listed with the reason.
    """
    from torchbend.training.overview import overview

    found = _sorted(overview(folder), sort)
    if as_json:
        typer.echo(json.dumps([_finite(run.as_data()) for run in found], indent=1))
        return
    whole = [run for run in found if run.state != "broken"]
    if whole:
        typer.echo(_table(whole).text() + "\n")
        typer.echo(
            "losses, as means of the last lines of the log: spectral distances, less is nearer; of a prior, "
            "cross entropies\n"
        )
        typer.echo(_losses(whole).text() + "\n")
        typer.echo("\n".join(_legend(whole)))
    for run in found:
        if run.state == "broken":
            typer.echo(f"\n{run.name}: left out: {run.trouble}")
    if not found:
        typer.echo(f"no run in {folder}")


def _sorted(found: list[RunState], order: Order) -> list[RunState]:
    if order is Order.moved:
        return sorted(found, key=lambda run: run.quiet)
    if order is Order.step:
        return sorted(found, key=lambda run: -run.step)
    if order is Order.validation:
        return sorted(found, key=lambda run: math.inf if run.validation is None else run.validation)
    return found


def _table(found: list[RunState]) -> Table:
    from torchbend.display import Table

    where = ("name", "configuration", "state", "phase", "step", "of", "done", "epoch")
    columns = (*where, "s/step", "spent", "left", "waited")
    return Table(
        columns,
        [
            (
                run.name,
                run.configuration,
                _state(run),
                run.phase,
                f"{run.step:,}".rjust(9),
                f"{run.max_steps:,}".rjust(9),
                f"{run.share:.1%}".rjust(6),
                run.epoch,
                None if run.step_seconds is None else f"{run.step_seconds:.3g}",
                None if run.seconds is None else in_short(run.seconds),
                _left(run),
                None if run.waited is None else f"{run.waited:.1%}",
            )
            for run in found
        ],
    )


def _losses(found: list[RunState]) -> Table:
    from torchbend.display import Table

    words = {
        "fullband_spectral_distance": "audio",
        "multiband_spectral_distance": "bands",
        "regularization": "latents",
        "feature_matching": "features",
        "adversarial": "adversarial",
        "loss_dis": "discriminator",
        "latent_prediction": "prior",
    }
    shown = [name for name in words if any(name in run.losses for run in found)]
    return Table(
        ("name", *(words[name] for name in shown), "validation", "best"),
        [
            (
                run.name,
                *(_number(run.losses.get(name)) for name in shown),
                _number(run.validation),
                _number(run.best),
            )
            for run in found
        ],
    )


def _state(run: RunState) -> str:
    if run.state == "done":
        return "done"
    return (
        f"runs, moved {in_short(run.quiet)} ago"
        if run.state == "runs"
        else f"stands for {in_short(run.quiet)}"
    )


def _left(run: RunState) -> str | None:
    if run.left is None or run.state == "done":
        return None
    return ("> " if run.grows_slower else "") + in_short(run.left)


def _legend(found: list[RunState]) -> list[str]:
    from torchbend.training.overview import QUIET_AT_LEAST, QUIET_LINES

    lines = []
    if any(run.state != "done" for run in found):
        lines.append(
            f"runs: its files moved in the last {QUIET_AT_LEAST:.0f} s, or within the time of {QUIET_LINES} "
            "lines of its log.\nstands: they did not. Dead, or slow? --resume goes on with a dead one."
        )
    if any(run.grows_slower and run.left is not None for run in found):
        lines.append(">: at the speed of phase 1; steps of phase 2, which is to come, take longer.")
    return lines


def in_short(seconds: float) -> str:
    """A duration in its two largest units.

    >>> in_short(93784), in_short(75), in_short(3.2)
    ('1d 2h', '1m 15s', '3s')
    """
    left = round(seconds)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        parts.append((count, unit))
    first = next((k for k, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count}{unit}" for count, unit in parts[first : first + 2])


def _number(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _finite(value: object) -> object:
    """JSON knows no NaN."""
    if isinstance(value, dict):
        return {key: _finite(held) for key, held in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
