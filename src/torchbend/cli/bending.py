"""``torchbend bend``: run a bent model on an input, and keep what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from torchbend.cli import options

if TYPE_CHECKING:
    from torchbend.module import BendedModule

__all__ = ["bend"]


def bend(
    model: options.Model,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="A sound file, or .safetensors for all tensors."),
    ],
    inputs: options.Inputs = None,
    weights: options.Weights = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", "-r", metavar="FILE", help="A recipe to apply, first.")
    ] = None,
    bends: Annotated[
        list[str] | None,
        typer.Option(
            "--bend",
            "-b",
            metavar="CALLBACK@PATTERN",
            help="As 'Scale(2.0)@decoder.*weight' or 'Fold(0.2) >> Clamp(-1, 1)@conv1d_3$'. May be repeated.",
        ),
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Set a control of the recipe. May be repeated."),
    ] = None,
    save_recipe: Annotated[
        Path | None, typer.Option("--save-recipe", metavar="FILE.json", help="Keep all bends as a recipe.")
    ] = None,
    buffers: Annotated[
        bool, typer.Option("--buffers", help="Patterns of --bend select buffers too.")
    ] = False,
    arg: options.Arguments = None,
    key: options.Key = None,
    loose: options.Loose = False,
    call: options.Call = "forward",
    sample_rate: options.SampleRate = None,
    mono: options.Mono = False,
    normalize: Annotated[bool, typer.Option("--normalize", help="Bring the sound to full scale.")] = False,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
) -> None:
    """Bend weights and activations of a model, run it on an input, and write what comes out.

    Patterns are regular expressions, matched from the start of the names that "torchbend inspect" prints.
    """
    from torchbend.cli.outputs import check_out, write_output
    from torchbend.cli.steps import steps
    from torchbend.cli.subject import open_subject

    check_out(out)
    if not inputs:
        raise typer.BadParameter("what should the model be run on? give an --input", param_hint="--input")
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
            mono=mono,
            seed=seed,
            device=device,
        )
        tell("bending")
        apply_bends(subject.bended, recipe, bends or (), control or (), buffers, seed)
        tell(f"running {call}()")
        value = subject.run()
        tell(f"writing {out}")
        write_output(out, value, subject.inputs.sample_rate, normalize)
    keys = subject.bended.bended_keys()
    typer.echo(f"bent {len(keys)} site(s): {', '.join(keys[:6])}{', ...' * (len(keys) > 6)}")
    typer.echo(f"wrote {out}")
    if save_recipe is not None:
        typer.echo(f"wrote {subject.bended.bending_config().save(save_recipe)}")


def apply_bends(
    bended: BendedModule,
    recipe: Path | None,
    bends: Sequence[str],
    controls: Sequence[str] = (),
    buffers: bool = False,
    seed: int = 0,
) -> None:
    """Bends a model as the options say: the recipe first, then each of ``bends`` in order.

    Args:
        bended: the model.
        recipe: a recipe's file.
        bends: ``CALLBACK@PATTERN``, or further recipes' files: names that end in ``.json``.
        controls: ``NAME=VALUE``.
        buffers: whether the patterns select buffers too.
        seed: what random callbacks without a seed of their own begin from.

    Raises:
        typer.BadParameter: a bend or a control is malformed.
        TorchbendError: the recipe does not fit, or a pattern matches nothing.
    """
    import torch

    from torchbend.bending.recipe import BendingConfig
    from torchbend.cli.words import literal, named, parse_bend

    torch.manual_seed(seed)
    written = [Path(text) if _is_recipe(text) else parse_bend(text) for text in bends]
    if recipe is not None:
        written.insert(0, recipe)
    for each in written:
        if isinstance(each, Path):
            bended.bend(BendingConfig.load(each, bended))
        else:
            bended.bend(*each, buffers=buffers)
    for text in controls:
        name, value = named(text)
        if name is None:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
        bended.update(name, literal(value, "--set"))


def _is_recipe(text: str) -> bool:
    return text.endswith(".json") and "@" not in text
