"""``torchbend check``: play an exported file as nn~ would, before the stage does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torchbend.display import Table
    from torchbend.export.check import Report, Structure

__all__ = ["check"]


def check(
    model: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="An exported model, as model.ts. Looked at first, then run."),
    ],
    trust: Annotated[
        bool, typer.Option("--trust", help="Run the code of a file that torchbend did not write.")
    ] = False,
    rate: Annotated[
        list[int] | None,
        typer.Option("--rate", min=1, metavar="HZ", help="Of the host; 44100 and 48000. May be repeated."),
    ] = None,
    blocks: Annotated[
        list[int] | None,
        typer.Option("--blocks", metavar="SAMPLES", help="A size, as 2048; by default all. May be repeated."),
    ] = None,
    speed: Annotated[
        bool, typer.Option("--speed/--no-speed", help="Time the blocks; without, only look for failures.")
    ] = True,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="Without a sign of life: the file hangs.")
    ] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Play an exported file as nn~ would, without Max or Pure Data: is it ready for the stage?

    The file is looked at from outside first. Its code runs in a process of its own, and only if torchbend
    wrote it or --trust is given (status 2 otherwise). The status is 0 where nothing failed, else 1.
    """
    wrong = [n for n in blocks or () if n < 64 or n & (n - 1)]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]}: blocks are powers of two, from 64 on", param_hint="--blocks")
    if not timeout > 0:
        raise typer.BadParameter("a positive number of seconds", param_hint="--timeout")
    from torchbend.cli.steps import steps
    from torchbend.export.check import check_structure, read_structure

    structure = read_structure(model)
    if structure.readable and not structure.ours and not trust:
        _refuse(structure)
    with steps(1) as tell:
        tell(f"playing {model.name}")
        report = check_structure(
            structure, rates=rate or (44100, 48000), blocks=blocks or (), timeout=timeout, speed=speed
        )
    typer.echo(report.json()) if as_json else _print(report)
    if not report.ok:
        raise typer.Exit(1)


def _refuse(structure: Structure) -> None:
    """Tells what was seen from outside, and what it takes to go on."""
    program = structure.program
    typer.echo(
        f"torchbend: this file holds code that torchbend did not write: {structure.why_not}\n"
        f"  at:     {structure.path}\n"
        f"  got:    {len(program.classes)} class(es), {len(program.buffer_names())} buffer(s), "
        f"{len({call.operator for call in program.calls})} operator(s); nothing of it has been run\n"
        f"  next:   --trust runs it, if you trust whoever made it",
        err=True,
    )
    for finding in structure.findings:
        typer.echo(f"\n{finding.text()}", err=True)
    raise typer.Exit(2)


def _print(report: Report) -> None:
    """Methods, attributes, what blocks cost, and what was found."""
    from torchbend.display import Table, emit

    if report.methods:
        columns = ("method", "in", "in ratio", "out", "out ratio", "state", "delay")
        emit(Table(columns, [_method_row(report, method) for method in report.methods]))
    if report.attributes:
        typer.echo()
        ranges = report.facts.get("ranges", {})
        rows = [(a["name"], ", ".join(a["kinds"]), _range(ranges.get(a["name"]))) for a in report.attributes]
        emit(Table(("attribute", "type", "range"), rows))
    for title, table in _cost_tables(report) if report.timings else ():
        typer.echo(f"\n{title}\n")
        emit(table)
    for finding in report.findings:
        typer.echo(f"\n{finding.text()}")
    counts = f"{len(report.failures)} failure(s), {len(report.warnings)} warning(s)"
    typer.echo(f"\n{report.path}: {'ready' if report.ok else 'not ready'}, {counts}")


def _method_row(report: Report, method: dict[str, object]) -> tuple[object, ...]:
    name = str(method["name"])
    state = report.state.get(name, {}).get("numbers", "")
    state = f"{state}{', random' * (name in report.random)}"
    delay = report.facts.get("delays", {}).get(name, "")
    ratios = (method["in_channels"], method["in_ratio"], method["out_channels"], method["out_ratio"])
    return (name, *ratios, state, delay)


def _range(ends: tuple[float | None, float | None] | None) -> str:
    if ends is None:
        return ""
    return f"{'' if ends[0] is None else f'{ends[0]:g}'} to {'' if ends[1] is None else f'{ends[1]:g}'}"


def _cost_tables(report: Report) -> Iterator[tuple[str, Table]]:
    """Milliseconds on one thread; and what they mean at each sample rate."""
    from torchbend.display import Table

    measured = ("method", "block", "median", "worst", "first", "second", "tenth")
    rows: list[tuple[object, ...]] = [
        (t.method, t.block, *map(_short, (t.median_ms, t.worst_ms, t.first_ms, t.second_ms, t.tenth_ms)))
        for t in report.timings
    ]
    yield "milliseconds for a block, on one thread", Table(measured, rows)
    meant = ("method", "block", "real-time factor", "worst", "CPU %", "latency ms")
    for rate in report.timings[0].real_time:
        rows = [
            (
                t.method,
                t.block,
                *(_short(by[rate]) for by in (t.real_time, t.real_time_worst, t.cpu, t.latency_ms)),
            )
            for t in report.timings
        ]
        yield f"at {rate} Hz", Table(meant, rows)


def _short(number: float) -> float:
    return float(f"{number:.3g}")
