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
    arg: options.Arguments = None,
    key: options.Key = None,
    loose: options.Loose = False,
    call: options.Call = "forward",
    sample_rate: options.SampleRate = None,
    mono: options.Mono = False,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
) -> None:
    """Run a model up to the activations that the patterns select, and keep their values.

    Names and patterns are those of "torchbend inspect --activations".
    """
    from torchbend.cli.bending import apply_bends
    from torchbend.cli.models import told_as
    from torchbend.cli.outputs import check_out, flat, write_tensors
    from torchbend.cli.steps import steps
    from torchbend.cli.subject import open_subject
    from torchbend.display import emit
    from torchbend.module.bending import exactly

    if not inputs:
        raise typer.BadParameter("what should the model be run on? give an --input", param_hint="--input")
    if out is None and not stats:
        raise typer.BadParameter("give --out FILE.safetensors, --stats, or both", param_hint="--out")
    if out is not None:
        check_out(out, tensors_only=True)
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
        tell(f"running {call}()")
        given = subject.inputs
        import torch

        with torch.no_grad(), told_as("the model does not run with these inputs", f"{call}()"):
            found = subject.bended.get_activations(
                *patterns, fn=call, _args=tuple(given.in_order), **given.by_name
            )
            measured = None
            if stats:
                positional = [tuple(given.in_order)] if given.in_order else None
                sites = [exactly(name, call) for name in found]
                measured = subject.bended.stats(*sites, fn=call, inputs=positional, **given.by_name)
    tensors = {path: tensor for name, value in found.items() for path, tensor in flat(value, name).items()}
    if measured is not None:
        emit(measured.table())
    if out is not None:
        write_tensors(out, tensors)
        typer.echo(f"wrote {len(tensors)} tensor(s) to {out}")
