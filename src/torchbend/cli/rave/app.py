"""The commands of ``torchbend rave``, in the order in which they are needed."""

from __future__ import annotations

import typer

from torchbend.cli.rave.duration import duration
from torchbend.cli.rave.evaluate import evaluate
from torchbend.cli.rave.export import export
from torchbend.cli.rave.generate import generate
from torchbend.cli.rave.preprocess import preprocess
from torchbend.cli.rave.resample import resample
from torchbend.cli.rave.train import train

__all__ = ["app"]

app = typer.Typer(
    name="rave",
    help="Measure, prepare and train: from a folder of sound to a RAVE model on stage.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _options() -> None:
    """What all commands share."""


for _command in (duration, resample, preprocess, train, generate, evaluate, export):
    app.command()(_command)
