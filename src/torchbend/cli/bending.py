"""``torchbend bend``: run a bent model on an input, and keep what comes out."""

from __future__ import annotations

from torchbend.cli import options

__all__ = ["bend"]


def bend(
    model: options.Model,
    out: options.Out,
    inputs: options.Inputs = None,
    weights: options.Weights = None,
    recipe: options.Recipe = None,
    bends: options.Bends = None,
    control: options.Controls = None,
    save_recipe: options.SaveRecipe = None,
    buffers: options.Buffers = False,
    option: options.Options = None,
    arg: options.Arguments = None,
    key: options.Key = None,
    loose: options.Loose = False,
    call: options.Call = None,
    sample_rate: options.SampleRate = None,
    mono: options.Mono = False,
    normalize: options.Normalize = False,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
) -> None:
    """Bend weights and activations of a model, run it on an input, and write what comes out.

    Patterns are regular expressions, matched from the start of the names that "torchbend inspect" prints.
    """
    from torchbend.cli.making import Work

    Work(
        model,
        out,
        inputs or (),
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
