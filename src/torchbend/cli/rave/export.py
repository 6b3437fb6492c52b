"""``torchbend rave export``: a model for Max and Pure Data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from torchbend.cli import options
from torchbend.cli.rave.model_options import Bends, Controls, Ema, RaveModel

__all__ = ["export"]


def export(
    model: RaveModel,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.ts", help="The file for nn~.")],
    fidelity: Annotated[
        float | None,
        typer.Option(
            "--fidelity",
            min=0.0,
            max=1.0,
            help="Play the latents that hold this share of variance; 0.95, unless the run was trained with "
            "--cropped-latent-size.",
        ),
    ] = None,
    latents: Annotated[
        int | None, typer.Option("--latents", min=1, help="Play exactly so many latents instead.")
    ] = None,
    fill: Annotated[str, typer.Option("--fill", help="noise or zeros for latents that are not played.")] = (
        "noise"
    ),
    means: Annotated[
        bool, typer.Option("--means", help="Play the means of latents; by default they are drawn.")
    ] = False,
    channels: Annotated[
        int | None, typer.Option("--channels", min=1, help="Of audio; 2 plays a mono model twice.")
    ] = None,
    sr: Annotated[
        int | None,
        typer.Option(
            "--sr", "--sample-rate", min=1, metavar="HZ", help="Of the host: a multiple of the model's."
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Signals that mc.nn~ may play at once; 4.")
    ] = None,
    prior: Annotated[
        Path | None,
        typer.Option("--prior", metavar="FILE", help="A prior, to be played as a method beside the others."),
    ] = None,
    ema: Ema = False,
    bends: Bends = None,
    control: Controls = None,
    seed: options.Seed = 0,
    noise_seed: options.NoiseSeed = None,
    warm_up: options.WarmUp = True,
    patches: options.Patches = True,
) -> None:
    """Write a model, bent or not, as a streaming file that nn~ plays, with its controls as knobs.

    "torchbend export" does the same for any model, and writes for other programs too.
    """
    from torchbend.cli.exporting import check_words, tell_export, write_export
    from torchbend.cli.rave.model_options import cropped_latents, open_rave
    from torchbend.cli.steps import steps

    target = "nn~"
    check_words(target, out, fill)
    if latents is None and fidelity is None:
        latents = cropped_latents(model)
    kept = 0.95 if fidelity is None else fidelity
    how: dict[str, Any] = {"fidelity": kept, "fill": fill, "sample": not means, "patches": patches}
    how |= {"seed": noise_seed, "warm_up": warm_up}
    given = {"latents": latents, "channels": channels, "sample_rate": sr, "batch": batch, "prior": prior}
    how |= {name: value for name, value in given.items() if value is not None}
    with steps(3) as tell:
        tell(f"reading {model}")
        bended = open_rave(model, ema=ema)
        written = write_export(
            tell, bended, out, target, how, bends=bends or (), controls=control or (), seed=seed
        )
    tell_export(bended, out, target, written)
