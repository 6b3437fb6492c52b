"""``torchbend activations``: the values inside a model, written to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from torchbend.cli import options

__all__ = ["activations"]


def activations(
    model: options.Model,
    patterns: Annotated[
        list[str], typer.Argument(metavar="PATTERN...", help="Which activations: regular expressions.")
    ],
    inputs: options.Inputs = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE.safetensors", help="Where to keep the values."),
    ] = None,
    stats: Annotated[
        bool, typer.Option("--stats", help="Print range, mean, deviation and share of dead channels of each.")
    ] = False,
    weights: options.Weights = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", "-r", metavar="FILE", help="Bend the model by a recipe first."),
    ] = None,
    bends: Annotated[
        list[str] | None,
        typer.Option(
            "--bend", "-b", metavar="CALLBACK@PATTERN", help="Bend the model first. May be repeated."
        ),
    ] = None,
    option: options.Options = None,
    arg: options.Arguments = None,
    key: options.Key = None,
    loose: options.Loose = False,
    call: options.Call = None,
    sample_rate: options.SampleRate = None,
    mono: options.Mono = False,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
) -> None:
    """Run a model, and keep the values of the activations that the patterns select.

    Names and patterns are those of "torchbend inspect --activations". A known model without --call makes what
    "torchbend render" writes; its activations are kept each time that they come by: steps follow each other.
    """
    from torchbend.cli.bends import apply_bends
    from torchbend.cli.known import known_model, render_options
    from torchbend.cli.outputs import check_out, write_tensors
    from torchbend.cli.seeing import seen
    from torchbend.cli.steps import steps
    from torchbend.cli.subject import open_subject
    from torchbend.display import emit

    known = None if call is not None else known_model(model)
    if known is None and not inputs:
        raise typer.BadParameter("what should the model be run on? give an --input", param_hint="--input")
    if out is None and not stats:
        raise typer.BadParameter("give --out FILE.safetensors, --stats, or both", param_hint="--out")
    if out is not None:
        check_out(out, [".safetensors"])
    given = {} if known is None else render_options(known.kind, option or ())
    with steps(4) as tell:
        subject = open_subject(
            tell,
            model,
            arguments=arg,
            weights=weights,
            key=key,
            loose=loose,
            inputs=inputs,
            method=call,
            sample_rate=sample_rate,
            mono=mono,
            seed=seed,
            device=device,
        )
        apply_bends(subject.bended, recipe, bends or (), seed=seed)
        tell("running")
        tensors, measured = seen(subject, patterns, given, seed, stats)
    if measured is not None:
        emit(measured)
    if out is not None:
        write_tensors(out, tensors)
        typer.echo(f"wrote {len(tensors)} tensor(s) to {out}")
