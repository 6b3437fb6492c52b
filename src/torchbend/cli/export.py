"""``torchbend export``: write a bent model to a file that other programs play."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from torchbend.cli import options

if TYPE_CHECKING:
    from torchbend.cli.steps import Tell
    from torchbend.module import BendedModule

__all__ = ["export"]


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A RAVE model: a run's folder, a .ckpt, a .ts or a file of torchbend; or sax, which is at "
            "hand. Or any model, as package.module:factory or file.py:factory, which is run.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="As model.ts; .onnx and .pt2 for these.")
    ],
    target: Annotated[
        str, typer.Option("--target", "-t", help="Who plays it: nn~, torchscript, onnx, pt2.")
    ] = "nn~",
    recipe: Annotated[
        Path | None, typer.Option("--recipe", "-r", metavar="FILE", help="A recipe to apply, first.")
    ] = None,
    bends: Annotated[
        list[str] | None,
        typer.Option("--bend", "-b", metavar="CALLBACK@PATTERN", help="A bend. May be repeated."),
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Set a control of the recipe. May be repeated."),
    ] = None,
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
    call: options.Call = "forward",
    weights: options.Weights = None,
    key: options.Key = None,
    loose: options.Loose = False,
    arg: options.Arguments = None,
    seed: options.Seed = 0,
    patches: options.Patches = True,
) -> None:
    """Write a model, bent, to a file that Max, Pure Data or other programs play, with its controls as knobs.

    A file appears whole or not at all. Beside it: a JSON file that tells what it is made of and, for nn~, a
    patch for Pure Data and one for Max.
    """
    from torchbend.cli.exporting import check_words, tell_export, write_export
    from torchbend.cli.steps import steps

    check_words(target, out, fill)
    of_rave: dict[str, Any] = {
        "latents": latents,
        "fidelity": fidelity,
        "fill": fill,
        "channels": channels,
        "batch": batch,
        "prior": prior,
    }
    of_rave = {name: value for name, value in of_rave.items() if value is not None}
    of_others = {
        "--method": method,
        "--input": inputs,
        "--weights": weights,
        "--arg": arg,
        "--context": context,
    }
    if target != "nn~":
        _only("nn~", {"--noise-seed": noise_seed is not None})
    with steps(6) as tell:
        bended, is_rave = _open(tell, model, of_others, call, key, loose, sample_rate, seed)
        if is_rave and sample_rate is not None:
            of_rave["sample_rate"] = sample_rate
        how = _arguments(bended, is_rave, target, of_rave, of_others)
        if target == "nn~":
            how |= {"patches": patches, "seed": noise_seed, "warm_up": warm_up}
        written = write_export(tell, bended, out, target, how, recipe, bends or (), control or (), seed)
    tell_export(bended, out, target, written)


def _open(
    tell: Tell,
    model: str,
    of_others: dict[str, Any],
    call: str,
    key: str | None,
    loose: bool,
    sample_rate: int | None,
    seed: int,
) -> tuple[BendedModule, bool]:
    """The model with its methods captured, and whether it is a RAVE model."""
    from torchbend.interfaces.rave import BendedRAVE
    from torchbend.rave import RAVE
    from torchbend.shipped import model_paths

    if (Path(model).exists() or model in model_paths()) and Path(model).suffix != ".py":
        _only("a factory's models", of_others)
        tell(f"reading {model}")
        return BendedRAVE(model), True
    if ":" not in model and not Path(model).exists():
        from torchbend.errors import TorchbendError

        raise TorchbendError(
            "there is no such model",
            site=model,
            wanted="a file or a folder of a RAVE model, sax, package.module:factory, or file.py:factory",
            got="none of them",
        )
    from torchbend.cli.subject import open_subject

    subject = open_subject(
        tell,
        model,
        arguments=of_others["--arg"],
        weights=of_others["--weights"],
        key=key,
        loose=loose,
        inputs=of_others["--input"],
        method=call,
        sample_rate=sample_rate,
        seed=seed,
    )
    inside = subject.bended.module
    return (BendedRAVE(inside), True) if isinstance(inside, RAVE) else (subject.bended, False)


def _arguments(
    bended: BendedModule, is_rave: bool, target: str, of_rave: dict[str, Any], of_others: dict[str, Any]
) -> dict[str, Any]:
    """Further arguments of ``export``."""
    if is_rave:
        if target != "nn~":
            _only("nn~", {f"--{name.replace('_', '-')}": value for name, value in of_rave.items()})
        _only("models other than RAVE", {name: of_others[name] for name in ("--method", "--context")})
        return dict(of_rave)
    _only("RAVE models", {f"--{name.replace('_', '-')}": value for name, value in of_rave.items()})
    told = dict(_method_of(text) for text in of_others["--method"] or ())
    if target != "nn~":
        _only("nn~", {"--method": told, "--context": of_others["--context"]})
    if not told and not of_others["--input"]:
        raise typer.BadParameter(
            "what does the model take? give an --input, or for nn~ a --method, as --method forward=1,1,1,1",
            param_hint="--input",
        )
    lacking = [name for name in told if not callable(getattr(bended.module, name, None))]
    if lacking:
        raise typer.BadParameter(f"the model has no method {lacking[0]!r}", param_hint="--method")
    how = {"methods": told, "context": of_others["--context"]}
    return {name: value for name, value in how.items() if value}


def _only(whose: str, given: dict[str, Any]) -> None:
    for name, value in given.items():
        if value:
            raise typer.BadParameter(f"this is for {whose}", param_hint=name)


def _method_of(text: str) -> tuple[str, Sequence[int]]:
    name, _, numbers = text.partition("=")
    pieces = [piece.strip() for piece in numbers.split(",")]
    if not name.isidentifier() or len(pieces) != 4 or not all(piece.isdecimal() for piece in pieces):
        raise typer.BadParameter(
            f"{text!r} is not NAME=IN,RATIO,OUT,RATIO, as forward=1,1,1,1", param_hint="--method"
        )
    return name, [int(piece) for piece in pieces]
