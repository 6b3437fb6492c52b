"""What the commands that use a RAVE model share: which one, which of its weights, and how it is bent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torchbend.interfaces.rave import BendedRAVE

__all__ = ["MODEL_HELP", "Bends", "Controls", "Ema", "RaveModel", "cropped_latents", "open_rave"]

MODEL_HELP = "A RAVE model: a run's folder, a .ckpt, a .ts or a file of torchbend; or sax, which is at hand."

RaveModel = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)]
Ema = Annotated[bool, typer.Option("--ema", help="Take the averaged weights that the run kept.")]
Bends = Annotated[
    list[str] | None,
    typer.Option(
        "--bend",
        "-b",
        metavar="RECIPE.json|CALLBACK@PATTERN",
        help="A recipe to apply, or a single bend. May be repeated.",
    ),
]
Controls = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Set a control of a recipe. May be repeated."),
]


def cropped_latents(path: str) -> int | None:
    """How many latents exports of a run play, by its --cropped-latent-size; None where nothing says.

    Args:
        path: a run's folder, or a checkpoint in it.

    Raises:
        TrainingError: the description of the run cannot be read.
    """
    from torchbend.training.folder import RunFolder

    if not Path(path).exists():  # the name of a model that comes with the package
        return None
    for folder in (Path(path), *Path(path).absolute().parents[:2]):
        if RunFolder(folder).exists:
            return RunFolder(folder).description()[1].cropped_latents
    return None


def open_rave(path: str, *, ema: bool = False, sample: bool = False, device: str = "cpu") -> BendedRAVE:
    """The model in a file or a run, ready to be bent.

    Args:
        path: a run's folder, a ``.ckpt``, a ``.ts`` or a file of this package, or the name of one that comes
            with it.
        ema: take the averaged weights.
        sample: draw latents from their distributions.
        device: where to compute.

    Raises:
        CheckpointError: there is no such model, or it holds no averaged weights.
        TorchbendError: there is no such device.
    """
    from torchbend.cli.models import told_as
    from torchbend.interfaces.rave import BendedRAVE
    from torchbend.rave import load

    model = load(path, ema=ema)
    with told_as("the model cannot go there", f"--device {device}"):
        model.to(device)
    return BendedRAVE(model, sample=sample)
