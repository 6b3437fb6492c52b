"""The program ``torchbend`` and how it ends: 0, 1 with a message, or 2 with how to use it."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from torchbend.cli.activations import activations
from torchbend.cli.bending import bend
from torchbend.cli.check import check
from torchbend.cli.demo import demo
from torchbend.cli.export import export
from torchbend.cli.inspecting import inspect
from torchbend.cli.listing import models
from torchbend.cli.rave.app import app as rave
from torchbend.cli.render import render
from torchbend.errors import TorchbendError

__all__ = ["app", "main"]

DEBUG = "--debug"

HELP = """Look into any PyTorch model, bend its weights and activations, and keep what comes out.

MODEL is a known model, KIND:SOURCE ("torchbend models" lists the kinds), as "rave:runs/birds"; KIND:tiny has
random weights, to try things out. Or it is code to run: "package.module:factory" or
"path/to/file.py:factory". The factory is a class, a function that returns a module, or a module; --arg
name=value gives it arguments. The folder that you are in is searched too. Weights and recipes are data:
nothing in them is ever executed.

--debug, anywhere, shows where in the program an error arose.
"""


class Program(TyperGroup):
    """Tells the package's own errors in words, on stderr, instead of by a traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Lets ``--debug`` stand behind the command too."""
        end = args.index("--") if "--" in args else len(args)
        if DEBUG in args[:end]:
            args = [DEBUG, *(a for k, a in enumerate(args) if a != DEBUG or k >= end)]
        return list(super().parse_args(ctx, args))

    def invoke(self, ctx: Any) -> Any:
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except TorchbendError as error:
            if ctx.params.get("debug"):
                raise
            typer.echo(f"torchbend: {error}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    name="torchbend",
    cls=Program,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from torchbend.version import __version__

        typer.echo(f"torchbend {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option(DEBUG, help="Show where in the program an error arose.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version, and end.")
    ] = False,
) -> None:
    """What all commands share."""


for _command in (models, inspect, bend, render, activations, export, check, demo):
    app.command()(_command)
app.add_typer(rave)


def main() -> None:
    """Runs the program on the words that it was started with."""
    app()


if __name__ == "__main__":
    main()
