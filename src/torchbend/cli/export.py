"""``torchbend export``: write a bent model to a file that other programs play."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from torchbend.cli import options

__all__ = ["export"]


def export(
    model: options.Model,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="As model.ts; .onnx and .pt2 for these.")
    ],
    target: Annotated[
        str, typer.Option("--target", "-t", help="Who plays it: nn~, torchscript, onnx, pt2.")
    ] = "nn~",
    recipe: options.Recipe = None,
    bends: options.Bends = None,
    control: options.Controls = None,
    latents: Annotated[
        int | None, typer.Option("--latents", min=1, help="RAVE: play exactly so many latents.")
    ] = None,
    fidelity: Annotated[
        float | None,
        typer.Option(
            "--fidelity", min=0.0, max=1.0, help="RAVE: as many as hold this share of variance; 0.95."
        ),
    ] = None,
    fill: Annotated[
        str | None,
        typer.Option("--fill", help="RAVE: noise or zeros for latents that are not played; noise."),
    ] = None,
    channels: Annotated[
        int | None, typer.Option("--channels", min=1, help="RAVE: of audio; 2 plays a mono model twice.")
    ] = None,
    sample_rate: Annotated[
        int | None,
        typer.Option(
            "--sample-rate", min=1, metavar="HZ", help="RAVE: of the host. Other models: of sound inputs."
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="RAVE: signals that mc.nn~ may play at once; 4.")
    ] = None,
    noise_seed: options.NoiseSeed = None,
    warm_up: options.WarmUp = True,
    prior: Annotated[
        Path | None,
        typer.Option(
            "--prior", metavar="FILE", help="RAVE: a prior, to be played as a method beside the others."
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="NAME=IN,RATIO,OUT,RATIO",
            help="Other models, for nn~: channels and samples per value of a method's input and output. May "
            "be repeated. By default they are read off the call with --input.",
        ),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(
            "--context",
            min=1,
            metavar="VALUES",
            help="Other models, for nn~: remember so much input before and after each block, and be so much "
            "later, so that nothing clicks at the borders of blocks.",
        ),
    ] = None,
    inputs: options.Inputs = None,
    call: options.Call = None,
    weights: options.Weights = None,
    key: options.Key = None,
    loose: options.Loose = False,
    arg: options.Arguments = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", metavar="NAME=VALUE", help="Known models: of their export. May be repeated."
        ),
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
    patches: options.Patches = True,
) -> None:
    """Write a model, bent, to a file that Max, Pure Data or other programs play, with its controls as knobs.

    A file appears whole or not at all. Beside it: a JSON file that tells what it is made of and, for nn~, a
    patch for Pure Data and one for Max.
    """
    from torchbend.cli.exporting import check_words, export_arguments, only_for, tell_export, write_export
    from torchbend.cli.known import known_model
    from torchbend.cli.steps import steps
    from torchbend.cli.subject import open_subject

    check_words(target, out, fill)
    how: dict[str, Any] = {
        "--latents": latents,
        "--fidelity": fidelity,
        "--fill": fill,
        "--channels": channels,
        "--batch": batch,
        "--prior": prior,
        "--method": method,
        "--context": context,
        "--noise-seed": noise_seed,
    }
    if target != "nn~":
        only_for("nn~", how)
    known = known_model(model)
    if known is not None:
        known.kind.check_export(out, target)
        of_factories = {"--input": inputs, "--call": call, "--weights": weights, "--key": key}
        only_for("a factory's models", of_factories)
    elif option:
        only_for("known models", {"--option": option})
    with steps(6) as tell:
        subject = open_subject(
            tell,
            model,
            arguments=arg,
            weights=weights,
            key=key,
            loose=loose,
            inputs=inputs,
            method=call,
            sample_rate=sample_rate,
            seed=seed,
            device=device,
        )
        given = export_arguments(subject, how, sample_rate, option or ())
        if target == "nn~":
            given |= {"patches": patches, "warm_up": warm_up}
        bended = subject.bended
        written = write_export(tell, bended, out, target, given, recipe, bends or (), control or (), seed)
    tell_export(bended, out, target, written)
