"""``torchbend rave generate``: sound files through a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from torchbend.cli import options
from torchbend.cli.rave.model_options import Bends, Controls, Ema, RaveModel

if TYPE_CHECKING:
    from torchbend.interfaces.rendering import Rendered

__all__ = ["generate"]


def generate(
    model: RaveModel,
    inputs: Annotated[
        list[Path], typer.Argument(metavar="IN...", help="Sound files, and folders of them at any depth.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the results; it is made.")
    ],
    bends: Bends = None,
    control: Controls = None,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--whole",
            help="Block by block, as nn~ plays, or each sound as a whole; by default in blocks what is "
            "longer than a minute.",
        ),
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Draw latents from their distributions, not their means.")
    ] = False,
    ema: Ema = False,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
) -> None:
    """Send sound files through a model, bent or not, and write what comes out as WAV files.

    Sub-folders are kept, and so are the channels: a mono model takes each as a signal of its own. An input is
    never overwritten. What cannot be read, or needs more memory than there is, is told at the
    end; the status is then 1.
    """
    from torchbend.cli.bends import apply_bends
    from torchbend.cli.rave.model_options import open_rave
    from torchbend.display.progress import tracked
    from torchbend.interfaces.rendering import plan, render_file

    tasks = plan(inputs, out)
    bended = open_rave(model, ema=ema, sample=sample, device=device)
    apply_bends(bended, None, bends or (), control or (), seed=seed)
    _tell([render_file(bended, task, stream=stream, seed=seed) for task in tracked(tasks, "sounds")], out)


def _tell(all_of_them: list[Rendered], out: Path) -> None:
    """What was written, and what was not."""
    made = [result for result in all_of_them if result.error is None]
    failed = [result for result in all_of_them if result.error is not None]
    blocks = sum(result.streamed for result in made)
    if made:
        seconds = sum(result.seconds for result in made)
        in_blocks = f", {blocks} of them in blocks" if blocks else ""
        typer.echo(f"wrote {len(made)} file(s), {seconds:.1f} s of sound{in_blocks}, to {out}")
    for result in failed:
        typer.echo(f"skipped {result.task.source}: {result.error}", err=True)
    if failed:
        typer.echo(f"torchbend: {len(failed)} of {len(all_of_them)} file(s) were skipped", err=True)
        raise typer.Exit(1)
