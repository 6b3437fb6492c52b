"""``torchbend render``: what a bent model makes of texts, sounds or numbers, in a file."""

from __future__ import annotations

from typing import Annotated

import typer

from torchbend.cli import options

__all__ = ["render"]


def render(
    model: options.Model,
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="Of a known model: texts, numbers, names of files, as its kind takes them. Of another model:"
            " as --input.",
        ),
    ] = None,
    *,
    out: options.Out,
    inputs: options.Inputs = None,
    recipe: options.Recipe = None,
    bends: options.Bends = None,
    control: options.Controls = None,
    save_recipe: options.SaveRecipe = None,
    buffers: options.Buffers = False,
    option: options.Options = None,
    arg: options.Arguments = None,
    weights: options.Weights = None,
    key: options.Key = None,
    loose: options.Loose = False,
    call: options.Call = None,
    sample_rate: options.SampleRate = None,
    mono: options.Mono = False,
    normalize: options.Normalize = False,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
) -> None:
    """Let a model make something, bent: sound, images, text; the same seed makes the same.

    "torchbend models KIND" tells what a kind takes, what it makes, and its options. Any other model is run
    on its inputs, as "torchbend bend" does.
    """
    from torchbend.cli.making import Work

    Work(
        model,
        out,
        [*(given or ()), *(inputs or ())],
        recipe=recipe,
        bends=bends or (),
        controls=control or (),
        buffers=buffers,
        save_recipe=save_recipe,
        options=option or (),
        arguments=arg or (),
        weights=weights,
        key=key,
        loose=loose,
        call=call,
        sample_rate=sample_rate,
        mono=mono,
        normalize=normalize,
        seed=seed,
        device=device,
    ).do()
