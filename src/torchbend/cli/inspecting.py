"""``torchbend inspect``: the weights of a model; with an input, its graph and activations too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from torchbend.cli import options

if TYPE_CHECKING:
    from torchbend.cli.subject import Subject

__all__ = ["inspect"]


def inspect(
    model: options.Model,
    weights: options.Weights = None,
    arg: options.Arguments = None,
    key: options.Key = None,
    loose: options.Loose = False,
    call: options.Call = None,
    inputs: options.Inputs = None,
    weights_filter: Annotated[
        str, typer.Option("--weights-filter", metavar="RE", help="Only weights whose names begin like this.")
    ] = ".*",
    activations_filter: Annotated[
        str, typer.Option("--activations-filter", metavar="RE", help="Only activations named like this.")
    ] = ".*",
    graph: Annotated[bool, typer.Option("--graph", help="Print the graph (needs an input).")] = False,
    activations: Annotated[
        bool, typer.Option("--activations", help="Print the activations (needs an input).")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write all of it as a page.")
    ] = None,
    sample_rate: options.SampleRate = None,
    mono: options.Mono = False,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
) -> None:
    """Print the weights of a model; with an input, its graph and its activations.

    With --graph or --activations only what was asked for is printed beside the weights. A known model needs
    no input; without --call all of its methods are looked into.
    """
    from torchbend.cli.known import known_model
    from torchbend.cli.steps import steps
    from torchbend.cli.subject import open_subject

    if (graph or activations) and not inputs and known_model(model) is None:
        raise typer.BadParameter("the graph is that of a call: give an --input", param_hint="--graph")
    with steps(3) as tell:
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
    all_of_it = bool(inputs) and not (graph or activations)
    bended = subject.bended
    typer.echo(f"weights of {model}\n")
    bended.print_weights(weights_filter)
    if subject.interface is not None and not (graph or activations or all_of_it):
        typer.echo(f"\nactivations of {', '.join(subject.methods)}: --activations prints them")
    for method in subject.methods:
        if graph or all_of_it:
            typer.echo(f"\ngraph of {method}()\n")
            bended.print_graph(method)
        if activations or all_of_it:
            typer.echo(f"\nactivations of {method}()\n")
            bended.print_activations(method, flt=activations_filter)
    if html is not None:
        _write_page(html, model, subject)
        typer.echo(f"\nwrote {html}")


def _write_page(path: Path, model: str, subject: Subject) -> None:
    """The module's tree and the tables as a page that needs nothing else."""
    from torchbend.display import Table, graph_table, weights_table, write_text
    from torchbend.errors import TorchbendError
    from torchbend.plots import Heading, Section, TableHtml, page

    bended = subject.bended
    weights = weights_table((name, bended.weight(name)) for name in bended.weight_names)
    sections: list[Section] = [
        Heading("Modules"),
        TableHtml(bended._repr_html_()),
        Heading("Weights"),
        TableHtml(weights.html()),
    ]
    columns = ("name", "op", "target", "shape", "dtype", "module", "source")
    for method in filter(bended.is_traced, subject.methods):
        rows = [
            (a.name, a.op, a.target, str(a.shape), str(a.dtype), a.module_path, a.source)
            for a in bended.activations(method).values()
        ]
        sections += [
            Heading(f"Activations of {method}()"),
            TableHtml(Table(columns, rows).html()),
            Heading(f"Graph of {method}()"),
            TableHtml(graph_table(bended.graph(method)).html()),
        ]
    try:
        write_text(path, page(model, sections, footer="Made by torchbend inspect."))
    except OSError as error:
        raise TorchbendError("the page cannot be written", site=str(path), got=str(error)) from error
