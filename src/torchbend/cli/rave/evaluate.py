"""``torchbend rave evaluate``: how good models are on sounds that they did not learn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from torchbend.cli import options
from torchbend.cli.rave.model_options import MODEL_HELP, Ema

if TYPE_CHECKING:
    from torchbend.cli.rave.evaluate_sounds import References
    from torchbend.cli.steps import Tell
    from torchbend.evaluation.models import Evaluation
    from torchbend.evaluation.scores import Reference

__all__ = ["evaluate"]


def evaluate(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help=MODEL_HELP + " Or several.")],
    inputs: Annotated[
        list[Path],
        typer.Option("--input", "-i", metavar="FOLDER", help="Sounds that were held out. May be repeated."),
    ],
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="A page to listen to (.html), data (.json) or a figure (.png, .svg, .pdf). May be repeated.",
        ),
    ] = None,
    most: Annotated[
        int | None, typer.Option("--sounds", min=1, metavar="N", help="Take so many, evenly chosen; all.")
    ] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline/--no-baseline", help="Beside the models: noise in 16 bands.")
    ] = True,
    speed: Annotated[
        bool, typer.Option("--speed/--no-speed", help="Measure real-time factors on one thread, too.")
    ] = True,
    ema: Ema = False,
    seed: options.Seed = 0,
) -> None:
    """Measure how near models bring sounds back: spectra, pitch, loudness, timbre; latents; and how fast.

    Give sounds that the models have not been trained on. Long sounds are taken in pieces of 30 s. What cannot
    be read, or is silent, is told and left out.
    """
    from torchbend.cli.rave.evaluate_outputs import check_outputs, write_outputs
    from torchbend.cli.rave.evaluate_sounds import References
    from torchbend.cli.steps import steps
    from torchbend.corpus.files import find_sounds
    from torchbend.display import emit
    from torchbend.evaluation.models import evaluate_baseline
    from torchbend.evaluation.summary import table_of

    check_outputs(out or ())
    files = [file.path for file in find_sounds(inputs)]
    files = files if most is None else [files[k * len(files) // most] for k in range(min(most, len(files)))]
    with steps(len(models) * (len(files) + 2) + 2) as tell:
        references = References(files)
        found = [
            _evaluated(tell, references, path, name, ema, speed, seed)
            for path, name in zip(models, _names(models), strict=True)
        ]
        first = found[0][1]
        if baseline:
            tell("noise in 16 bands")
            found.append((evaluate_baseline(first, seed=seed), first))
        tell("writing")
        write_outputs(out or (), found)
    references.tell_left_out()
    typer.echo(f"{len(first.sounds)} sound(s), {first.seconds:.1f} s, of {', '.join(map(str, inputs))}\n")
    emit(table_of([evaluation for evaluation, _ in found]))
    for path in out or ():
        typer.echo(f"wrote {path}")


def _evaluated(
    tell: Tell, references: References, path: str, name: str, ema: bool, speed: bool, seed: int
) -> tuple[Evaluation, Reference]:
    from torchbend.evaluation.models import evaluate as evaluated
    from torchbend.rave import load

    tell(f"{name}: reading")
    model = load(path, ema=ema)
    reference = references.at(model.sample_rate, model.channels)
    tell(name)
    return evaluated(model, reference, name, speed=speed, seed=seed, told=lambda: tell(name)), reference


def _names(models: Sequence[str]) -> list[str]:
    """What models are called: the last part of their path, or all of it where two would be called alike."""
    short = [Path(path).stem if Path(path).is_file() else Path(path).name for path in models]
    names = [
        name if name and short.count(name) == 1 else path for name, path in zip(short, models, strict=True)
    ]
    if len(set(names)) < len(names):
        raise typer.BadParameter("one model is given twice", param_hint="MODEL")
    return names
