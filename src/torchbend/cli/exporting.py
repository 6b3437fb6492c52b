"""Writing a model's file for other programs, as the commands that export do."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from torchbend.cli.words import named_values

if TYPE_CHECKING:
    from torchbend.cli.steps import Tell
    from torchbend.cli.subject import Subject
    from torchbend.module import BendedModule

__all__ = ["check_words", "export_arguments", "only_for", "tell_export", "write_export"]

_SUFFIXES = {"nn~": (".ts",), "torchscript": (".ts", ".pt"), "onnx": (".onnx",), "pt2": (".pt2",)}


def check_words(target: str, out: Path, fill: str | None = None) -> None:
    """Refuses, before the work, what cannot be written after it.

    Args:
        target: who plays the file.
        out: the file.
        fill: what stands for latents that are not played.

    Raises:
        typer.BadParameter: one of them is unknown, or the file has another ending.
    """
    from torchbend.export import TARGETS

    if target not in TARGETS:
        raise typer.BadParameter(f"{target!r} is none of: {', '.join(TARGETS)}", param_hint="--target")
    endings = _SUFFIXES.get(target, ())
    if endings and out.suffix not in endings:
        raise typer.BadParameter(f"{out} should end in {' or '.join(endings)}", param_hint="--out")
    if out.is_dir():
        raise typer.BadParameter(f"{out} is a folder", param_hint="--out")
    if fill not in (None, "noise", "zeros"):
        raise typer.BadParameter(f"{fill!r} is neither noise nor zeros", param_hint="--fill")


def only_for(whose: str, given: Mapping[str, Any]) -> None:
    """Refuses options that mean something to other models, or targets, only.

    Raises:
        typer.BadParameter: one of them was given.
    """
    for name, value in given.items():
        if value:
            raise typer.BadParameter(f"this is for {whose}", param_hint=name)


def export_arguments(
    subject: Subject, how: Mapping[str, Any], sample_rate: int | None, options: Sequence[str]
) -> dict[str, Any]:
    """Further arguments of ``export``, as the user's options give them.

    Args:
        subject: the model.
        how: the options that were given or not (None), by their names.
        sample_rate: of the host, where an interface's model is played at another one.
        options: ``"name=value"``, for an interface's `export`.

    Raises:
        typer.BadParameter: an option is malformed, or for other models, or nothing tells what the
            model takes.
    """
    bended, is_known = subject.bended, subject.interface is not None
    given = {name: value for name, value in how.items() if value is not None}
    if is_known and sample_rate is not None:
        given["--sample-rate"] = sample_rate
    given["--method"] = dict(_method_of(text) for text in given.get("--method", ()))
    taken = _taken(bended)
    arguments: dict[str, Any] = {}
    for name, value in given.items():
        argument = _ARGUMENTS.get(name, name.removeprefix("--").replace("-", "_"))
        if argument not in taken:
            only_for("models other than RAVE" if argument in _OF_OTHERS else "RAVE models", {name: value})
        elif value != {}:
            arguments[argument] = value
    arguments |= named_values(options, "--option")
    unknown = [name for name in arguments if name not in taken]
    if unknown:
        raise typer.BadParameter(
            f"{type(bended).__name__}.export takes no {unknown[0]!r}", param_hint="--option"
        )
    _check_methods(subject, arguments.get("methods", {}))
    return arguments


_ARGUMENTS = {"--method": "methods", "--noise-seed": "seed"}
_OF_OTHERS = ("methods", "context")


def _taken(bended: BendedModule) -> set[str]:
    """The names of the arguments of a model's ``export``; those that it hands on are the base's."""
    from torchbend.module import BendedModule

    parameters = inspect.signature(type(bended).export).parameters
    names = set(parameters)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        names |= set(inspect.signature(BendedModule.export).parameters)
    return names


def _check_methods(subject: Subject, told: Mapping[str, Any]) -> None:
    if not (told or subject.inputs or subject.interface):
        raise typer.BadParameter(
            "what does the model take? give an --input, or for nn~ a --method, as --method forward=1,1,1,1",
            param_hint="--input",
        )
    lacking = [name for name in told if not callable(getattr(subject.bended.module, name, None))]
    if lacking:
        raise typer.BadParameter(f"the model has no method {lacking[0]!r}", param_hint="--method")


def _method_of(text: str) -> tuple[str, Sequence[int]]:
    name, _, numbers = text.partition("=")
    pieces = [piece.strip() for piece in numbers.split(",")]
    if not name.isidentifier() or len(pieces) != 4 or not all(piece.isdecimal() for piece in pieces):
        raise typer.BadParameter(
            f"{text!r} is not NAME=IN,RATIO,OUT,RATIO, as forward=1,1,1,1", param_hint="--method"
        )
    return name, [int(piece) for piece in pieces]


def write_export(
    tell: Tell,
    bended: BendedModule,
    out: Path,
    target: str,
    how: dict[str, Any],
    recipe: Path | None = None,
    bends: Sequence[str] = (),
    controls: Sequence[str] = (),
    seed: int = 0,
) -> list[Path]:
    """Bends a model, and writes its file.

    Args:
        tell: is told of both steps.
        bended: the model.
        out: the file.
        target: who plays it.
        how: further arguments of the model's ``export``.
        recipe: see :func:`torchbend.cli.bends.apply_bends`, like the last three.

    Returns:
        The files that were written, ``out`` first.

    Raises:
        typer.BadParameter: a bend or a control is malformed.
        TorchbendError: the bends do not fit, or the model cannot be exported; nothing is written then.
    """
    from torchbend.cli.bends import apply_bends

    tell("bending")
    apply_bends(bended, recipe, bends, controls, seed=seed)
    before = _beside(out)
    tell(f"writing {out}")
    bended.export(out, target, **how)
    return [path for path, when in _beside(out).items() if before.get(path) != when]


def tell_export(bended: BendedModule, out: Path, target: str, written: Sequence[Path]) -> None:
    """Tells what was bent, what was written, and what to do next."""
    from torchbend.cli.bends import tell_bends

    tell_bends(bended)
    for path in written:
        typer.echo(f"wrote {path}")
    if target == "nn~":
        typer.echo(f"next: torchbend check {out}")


def _beside(out: Path) -> dict[Path, int]:
    """The files of an export that are there, each with its time."""
    if not out.parent.is_dir():
        return {}
    found = [path for path in out.parent.iterdir() if path.name.startswith(f"{out.stem}.") and path.is_file()]
    return {path: path.stat().st_mtime_ns for path in sorted(found, key=lambda p: (p != out, p.name))}
