"""The options that trainings share, and what follows from them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from torchbend.corpus.store import Corpus
    from torchbend.training.folder import RunFolder
    from torchbend.training.settings import RunSettings

__all__ = [
    "Accumulate",
    "Augment",
    "Batch",
    "Change",
    "CheckpointEvery",
    "Ckpt",
    "Compiled",
    "Data",
    "Derivative",
    "Device",
    "HeldOut",
    "Name",
    "Normalise",
    "Out",
    "Precision",
    "RandPitch",
    "Resume",
    "SaveEvery",
    "Seed",
    "ValEvery",
    "Workers",
    "changed",
    "changes_of",
    "given_in",
    "open_corpus",
    "refuse_another",
    "starting",
]

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        "--db-path",
        "--db_path",
        "-d",
        metavar="DB",
        help="The corpus that preprocess made. With --resume: that of the run.",
    ),
]
Name = Annotated[str, typer.Option("--name", "-n", help="Of the run: its folder in --out.")]
Out = Annotated[
    Path, typer.Option("--out", "--out-path", "--out_path", metavar="DIR", help="Folder of all runs.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run of this name.")]
Ckpt = Annotated[
    Path | None, typer.Option("--ckpt", metavar="FILE", help="Go on from this checkpoint, of any run.")
]
Change = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "--override",
        metavar="NAME=VALUE",
        help="As capacity=32, latent_size=16. May be repeated.",
    ),
]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Excerpts in a step.")]
Accumulate = Annotated[
    int, typer.Option("--accumulate", min=1, help="So many batches in a step, one after the other.")
]
Augment = Annotated[
    list[str] | None,
    typer.Option("--augment", help="mute, gain, compress or masking. May be repeated."),
]
RandPitch = Annotated[
    str | None,
    typer.Option("--rand-pitch", "--rand_pitch", metavar="LOW,HIGH", help="Other speeds, as 0.8,1.2."),
]
Normalise = Annotated[
    bool, typer.Option("--normalise", "--normalize", help="Bring the peak of each excerpt to 1.")
]
Derivative = Annotated[bool, typer.Option("--derivative", help="Train on differences of samples.")]
HeldOut = Annotated[
    float, typer.Option("--held-out", help="Share of the corpus that is only validated with.")
]
ValEvery = Annotated[
    int, typer.Option("--val-every", "--val_every", min=1, help="Steps between validations.")
]
SaveEvery = Annotated[
    int,
    typer.Option("--save-every", "--save_every", min=1, help="Steps between checkpoints that are kept."),
]
CheckpointEvery = Annotated[
    int,
    typer.Option("--checkpoint-every", min=1, help="Steps between checkpoints that replace one another."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of all chance.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes that read sound.")]
Device = Annotated[
    str | None, typer.Option("--device", help="cpu, cuda, mps; by default the best that is there.")
]
Precision = Annotated[str, typer.Option("--precision", help="no or bf16, for the networks.")]
Compiled = Annotated[bool, typer.Option("--compile", help="Run the networks by torch.compile.")]

S = TypeVar("S", bound="RunSettings")


@contextmanager
def starting() -> Iterator[None]:
    """Within it, Python looks for no garbage in circles: a start makes many objects, and all of them stay."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def given_in(ctx: typer.Context) -> dict[str, Any]:
    """The options that were written, by the names of the command's parameters."""
    return {
        key: value
        for key, value in ctx.params.items()
        if (source := ctx.get_parameter_source(key)) is not None and source.name != "DEFAULT"
    }


def open_corpus(data: Path | None, facts: dict[str, Any] | None) -> Corpus:
    """The corpus that was named, or that a run has.

    Args:
        data: the option.
        facts: of the run that goes on.
    """
    from torchbend.corpus.store import Corpus

    held = (facts or {}).get("corpus")
    if data is None and held is None:
        raise typer.BadParameter("the corpus is needed", param_hint="--data")
    return Corpus.open(data if data is not None else str(held))


def refuse_another(folder: RunFolder, resume: bool, ckpt: Path | None) -> None:
    """A run that begins from a checkpoint takes no other run's folder: its log and checkpoints would go."""
    if folder.exists and ckpt is not None and not resume:
        raise typer.BadParameter(
            f"there is a run in {folder.path} already: go on with it by --resume, or choose another --name",
            param_hint="--ckpt",
        )


def changed(settings: S, given: dict[str, Any]) -> S:
    """Settings with the given options in their places."""
    values = {_NAMES.get(key, key): value for key, value in given.items()}
    known = {field.name for field in fields(settings)}
    values = {name: value for name, value in values.items() if name in known}
    if "augment" in values:
        values["augment"] = tuple(values["augment"] or ())
    if "rand_pitch" in values:
        values["rand_pitch"] = _range(values["rand_pitch"])
    return replace(settings, **values)


_NAMES = {"compiled": "compile"}


def changes_of(texts: list[str] | None) -> dict[str, object]:
    """Values by name, of ``NAME=VALUE``."""
    from torchbend.cli.words import literal

    changes: dict[str, object] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
        changes[key.strip()] = literal(value, "--set")
    return changes


def _range(text: str) -> tuple[float, float]:
    from torchbend.cli.words import literal

    found = literal(f"({text})", "--rand-pitch")
    numbers = isinstance(found, tuple) and all(isinstance(end, int | float) for end in found)
    if not numbers or len(found) != 2:
        raise typer.BadParameter("write two numbers, as 0.8,1.2", param_hint="--rand-pitch")
    return float(found[0]), float(found[1])
