"""``torchbend rave plot``: the curves of trainings, in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from torchbend.plots.lines import Panel
    from torchbend.training.curves import Log, What

__all__ = ["plot"]

PICTURES = (".png", ".svg", ".pdf")
PAGES = (".html", ".htm")
_DOTS = 100
"""Validations of so many points in all are drawn with dots."""


class Shown(str, Enum):
    """What can be drawn."""

    distance = "distance"
    validation = "validation"
    epochs = "epochs"
    all = "all"


class Axis(str, Enum):
    """What it can be drawn against."""

    steps = "steps"
    epochs = "epochs"
    hours = "hours"


def plot(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, or folders that hold some.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="A picture (.png, .svg, .pdf) or a page (.html)."),
    ],
    what: Annotated[
        Shown,
        typer.Option(
            "--what",
            help="distance in training, at validations, epochs done, or all three below one another.",
        ),
    ] = Shown.distance,
    against: Annotated[Axis, typer.Option("--against", help="steps, epochs, or hours of work.")] = Axis.steps,
    smooth: Annotated[
        int | None,
        typer.Option(
            "--smooth",
            min=0,
            metavar="STEPS",
            help="Draw means over so many steps of training; 0 draws each line of the log. By default a "
            "hundredth of the longest run.",
        ),
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="On a dark ground.")] = False,
    title: Annotated[str, typer.Option("--title", help="Above all.")] = "",
) -> None:
    """Draw how runs went: distance against steps, steps against epochs, several runs in one figure.

    Where the second phase begins, each curve is marked. Runs that cannot be drawn are told and left out.
    """
    from torchbend.display import replacing, write_text
    from torchbend.errors import TorchbendError

    if out.suffix.lower() not in (*PICTURES, *PAGES) or out.is_dir():
        raise typer.BadParameter(f"{out} should end in .png, .svg, .pdf or .html", param_hint="--out")
    logs = _logs(folders)
    panels = _panels(logs, what, against, smooth)
    try:
        if out.suffix.lower() in PAGES:
            from torchbend.plots.lines_page import lines_page

            write_text(out, lines_page(panels, title, dark))
        else:
            from torchbend.plots.lines_figure import draw_lines, picture_bytes

            content = picture_bytes(draw_lines(panels, title, dark), out.suffix[1:].lower())
            with replacing(out) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        raise TorchbendError("the file cannot be written", site=str(out), got=str(error)) from error
    typer.echo(f"wrote {out}: {len(logs)} run{'s' * (len(logs) != 1)}")


def _logs(folders: Sequence[Path]) -> list[Log]:
    """The logs of all runs, each once, with names that differ."""
    from torchbend.errors import TrainingError
    from torchbend.training.curves import read_log
    from torchbend.training.overview import find_runs

    found = list(dict.fromkeys(path for folder in folders for path in find_runs(folder)))
    short = [path.absolute().name for path in found]
    logs: list[Log] = []
    for path, name in zip(found, short, strict=True):
        try:
            logs.append(read_log(path / "records.jsonl", name if short.count(name) == 1 else str(path)))
        except TrainingError as error:
            typer.echo(f"{path}: left out: {error.message}", err=True)
    if not logs:
        raise TrainingError(
            "there is no run to draw",
            site=", ".join(map(str, folders)),
            next_step="torchbend rave runs lists what is there",
        )
    return logs


def _panels(logs: Sequence[Log], what: Shown, against: Axis, smooth: int | None) -> list[Panel]:
    from torchbend.errors import TrainingError
    from torchbend.training.curves import WHAT

    width = _round(max(int(log.steps[-1]) for log in logs) // 100) if smooth is None else smooth
    kinds = WHAT if what is Shown.all else (what.value,)
    measures = sorted({log.measure for log in logs}, reverse=True)
    panels = []
    for kind in kinds:
        for measure in measures if kind != "epochs" else [""]:
            held = [log for log in logs if measure in ("", log.measure)]
            panels.append(_panel(held, kind, measure, against, width))
    if not any(panel.lines for panel in panels):
        raise TrainingError(
            f"no run has a {what.value} yet", next_step="wait for one, or draw another --what"
        )
    return [panel for panel in panels if panel.lines]


def _round(steps: int) -> int:
    """Down to one digit and zeros."""
    size = int(10 ** (len(str(steps)) - 1))
    return steps // size * size


def _panel(logs: Sequence[Log], kind: What, measure: str, against: Axis, width: int) -> Panel:
    from torchbend.errors import TrainingError
    from torchbend.plots.lines import Line, Panel
    from torchbend.training.curves import curve

    horizontal = against.value
    if kind == "epochs" and horizontal == "epochs":
        horizontal = "steps"
    lines = []
    for log in logs:
        try:
            found = curve(log, kind, horizontal, width)  # type: ignore[arg-type]
        except TrainingError:
            continue
        begun = () if found.change is None or found.change > found.x[-1] else (found.change,)
        behind = (found.x, found.raw) if found.raw is not None and len(logs) <= 3 else None
        lines.append(
            Line(
                found.name,
                found.x,
                found.y,
                begun,
                behind,
                dots=kind == "validation" and len(found.x) * len(logs) <= _DOTS,
            )
        )
    return Panel(lines=lines, x_label=_LABELS[horizontal], **_panel_words(kind, measure, width))


_LABELS = {
    "steps": "steps of training",
    "epochs": "epochs (passes through the corpus)",
    "hours": "hours of work",
}


def _panel_words(kind: str, measure: str, width: int) -> dict[str, Any]:
    mark = {"mark_label": "phase 2 begins"}
    if kind == "epochs":
        return {"title": "Passes through the corpus", "y_label": _LABELS["epochs"], **mark}
    unit = "no unit; less is nearer" if measure == "spectral distance" else "nats; less is surer"
    label, name = f"{measure} ({unit})", measure.capitalize()
    if kind == "validation":
        return {"title": f"{name} on sounds that were held out", "y_label": label, "log_y": True, **mark}
    mean = f", means over {width:,} steps" if width else ""
    return {"title": f"{name} in training{mean}", "y_label": label, "log_y": True, **mark}
