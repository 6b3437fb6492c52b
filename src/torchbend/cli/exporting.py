"""Writing a model's file for other programs, as the commands that export do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from torchbend.cli.steps import Tell
    from torchbend.module import BendedModule

__all__ = ["check_words", "tell_export", "write_export"]

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
        recipe: see :func:`torchbend.cli.bending.apply_bends`, like the last three.

    Returns:
        The files that were written, ``out`` first.

    Raises:
        typer.BadParameter: a bend or a control is malformed.
        TorchbendError: the bends do not fit, or the model cannot be exported; nothing is written then.
    """
    from torchbend.cli.bending import apply_bends

    tell("bending")
    apply_bends(bended, recipe, bends, controls, seed=seed)
    before = _beside(out)
    tell(f"writing {out}")
    bended.export(out, target, **how)
    return [path for path, when in _beside(out).items() if before.get(path) != when]


def tell_export(bended: BendedModule, out: Path, target: str, written: Sequence[Path]) -> None:
    """Tells what was bent, what was written, and what to do next."""
    keys = bended.bended_keys()
    named = f": {', '.join(keys[:6])}{', ...' * (len(keys) > 6)}" if keys else ""
    typer.echo(f"bent {len(keys)} site(s){named}")
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
