"""``torchbend demo``: bend a model with sound, and make a page of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="sax, which comes with torchbend; vocoder (HiFi-GAN, of the extra demo); or additive.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="The same as --model additive: some seconds.")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where sounds, recipes and the page go.")
    ] = Path("torchbend-demo"),
) -> None:
    """Bend a model in five ways: sounds, recipes, and a page that shows and plays all of it.

    The model is a saxophone: a RAVE that comes with torchbend. It answers two phrases, of a violin and of a
    piano, is bent in three ways and played by its latents in two, and goes into a file for Max and Pure Data,
    which is checked. That takes about a minute. What an earlier run wrote is replaced, nothing else.
    """
    from torchbend.cli.steps import steps
    from torchbend.demo.run import INSTRUMENTS, open_demo

    if quick and model not in (None, "additive"):
        raise typer.BadParameter(f"--quick plays additive, not {model}", param_hint="--quick")
    name = "additive" if quick else model or "sax"
    if name not in INSTRUMENTS:
        raise typer.BadParameter(f"{name!r} is none of: {', '.join(INSTRUMENTS)}", param_hint="--model")
    with steps(1) as tell:
        tell(f"opening {name}")
        demonstration = open_demo(name)
    demonstration.print_tables()
    typer.echo()
    with steps(demonstration.step_count) as tell:
        for line in demonstration.run(out, tell):
            typer.echo(line)
    typer.echo(f"\nOpen {out / 'index.html'} in a browser: it shows and plays all of it.")
