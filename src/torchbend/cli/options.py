"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Arguments",
    "Call",
    "Device",
    "Inputs",
    "Key",
    "Loose",
    "Model",
    "Mono",
    "NoiseSeed",
    "Patches",
    "SampleRate",
    "Seed",
    "WarmUp",
    "Weights",
]

_INPUT_HELP = (
    "An input of the model, in order, or by name as NAME=...: a sound file ([1, channels, samples]); "
    "FILE.safetensors or FILE.pt, with :KEY where it holds several tensors; random:SHAPE, zeros:SHAPE, "
    "ones:SHAPE, integers:BELOW:SHAPE, line:FROM:TO:SHAPE, where SHAPE is as 1,80,100; or a number or a "
    "list. May be repeated."
)

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="The model: package.module:factory or file.py:factory, which is run; or sax, which is at hand.",
    ),
]
Arguments = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="NAME=VALUE", help="An argument of the factory: a number, a text, a list."),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights", "-w", metavar="FILE", help="A .safetensors, .pt, .pth, .ckpt, .bin or .tar file."
    ),
]
Key = Annotated[
    str | None, typer.Option("--key", help="Where in the weights file the weights are, as ema.generator.")
]
Loose = Annotated[bool, typer.Option("--loose", help="Take from the weights file what fits.")]
Inputs = Annotated[list[str] | None, typer.Option("--input", "-i", metavar="SPEC", help=_INPUT_HELP)]
Call = Annotated[str, typer.Option("--call", metavar="METHOD", help="The method of the model to call.")]
SampleRate = Annotated[
    int | None,
    typer.Option(
        "--sample-rate",
        min=1,
        metavar="HZ",
        help="Of the model: inputs are resampled to it, outputs have it.",
    ),
]
Mono = Annotated[bool, typer.Option("--mono", help="Average the channels of sound inputs.")]
Seed = Annotated[int, typer.Option("--seed", help="Of random weights, random inputs and random callbacks.")]
Device = Annotated[str, typer.Option("--device", help="Where to compute: cpu, cuda, mps.")]
NoiseSeed = Annotated[
    int | None,
    typer.Option(
        "--noise-seed",
        min=0,
        metavar="N",
        help="For nn~: an attribute seed; random numbers begin at N when the file is loaded.",
    ),
]
WarmUp = Annotated[
    bool,
    typer.Option("--warm-up/--no-warm-up", help="For nn~: the first blocks are fast, loading takes longer."),
]
Patches = Annotated[
    bool, typer.Option("--patches/--no-patches", help="For nn~: patches for Pure Data and Max beside it.")
]
