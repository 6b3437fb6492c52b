"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Arguments",
    "Bends",
    "Buffers",
    "Call",
    "Controls",
    "Device",
    "Inputs",
    "Key",
    "Loose",
    "Model",
    "Mono",
    "NoiseSeed",
    "Normalize",
    "Options",
    "Out",
    "Patches",
    "Recipe",
    "SampleRate",
    "SaveRecipe",
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
        help="The model: package.module:factory or file.py:factory, which is run; or a known one, as "
        "KIND:SOURCE (see torchbend models), KIND:tiny, a file of RAVE, or sax, which is at hand.",
    ),
]
Arguments = Annotated[
    list[str] | None,
    typer.Option(
        "--arg",
        metavar="NAME=VALUE",
        help="An argument of the factory, or of a known model's class: a number, a text, a list.",
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        help="A sound file, a .png of images, or .safetensors for all tensors; of a known model: what it "
        "makes.",
    ),
]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="Known models: how it is made, as duration=10 (see torchbend models KIND). May be repeated.",
    ),
]
Recipe = Annotated[
    Path | None, typer.Option("--recipe", "-r", metavar="FILE", help="A recipe to apply, first.")
]
Bends = Annotated[
    list[str] | None,
    typer.Option(
        "--bend",
        "-b",
        metavar="CALLBACK@PATTERN",
        help="As 'Scale(2.0)@decoder.*weight' or 'Fold(0.2) >> Clamp(-1, 1)@conv1d_3$'. May be repeated.",
    ),
]
Controls = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Set a control of the recipe. May be repeated."),
]
SaveRecipe = Annotated[
    Path | None, typer.Option("--save-recipe", metavar="FILE.json", help="Keep all bends as a recipe.")
]
Buffers = Annotated[bool, typer.Option("--buffers", help="Patterns of --bend select buffers too.")]
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
Call = Annotated[
    str | None,
    typer.Option(
        "--call",
        metavar="METHOD",
        help="The method of the model to call; by default forward, or what a known model renders.",
    ),
]
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
Normalize = Annotated[
    bool, typer.Option("--normalize", help="Bring the sound to full scale, images from black to white.")
]
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
