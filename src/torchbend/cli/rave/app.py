"""The commands of ``torchbend rave``, in the order in which they are needed."""

from __future__ import annotations

import typer

from torchbend.cli.rave.duration import duration
from torchbend.cli.rave.evaluate import evaluate
from torchbend.cli.rave.export import export
from torchbend.cli.rave.generate import generate
from torchbend.cli.rave.plot import plot
from torchbend.cli.rave.preprocess import preprocess
from torchbend.cli.rave.resample import resample
from torchbend.cli.rave.runs import runs
from torchbend.cli.rave.sample import sample
from torchbend.cli.rave.train import train
from torchbend.cli.rave.train_prior import train_prior

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


_COMMANDS = (
    duration,
    resample,
    preprocess,
    train,
    runs,
    plot,
    train_prior,
    generate,
    sample,
    evaluate,
    export,
)
for _command in _COMMANDS:
    app.command()(_command)
