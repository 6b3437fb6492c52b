"""``torchbend rave duration``: how much sound is there?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torchbend.corpus.durations import Measured

__all__ = ["duration"]


def duration(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]...", help="Folders of sounds; by default the one that you are in."),
    ] = None,
    ext: Annotated[
        list[str] | None,
        typer.Option("--ext", metavar="SUFFIX", help="Count these files only, as wav. May be repeated."),
    ] = None,
) -> None:
    """Count the sound files of a folder, and tell how long they are together, for each format.

    Folders in the folder are searched too. What cannot be read is told, with the reason; the status is 1
    where nothing can.
    """
    from torchbend.corpus.durations import Duration, measure, totals
    from torchbend.corpus.files import find_sounds

    measured = measure(find_sounds(folders or [Path()], ext))
    found = totals(measured)
    for number, one in enumerate(found):
        typer.echo("\n" * bool(number) + one.text())
    if len(found) > 1:
        every = Duration("", sum(d.files for d in found), sum(d.seconds for d in found))
        typer.echo("\n" + every.text())
    _tell_trouble(measured, bool(found))
    if not found:
        raise typer.Exit(1)


def _tell_trouble(measured: list[Measured], after_others: bool) -> None:
    trouble = [one for one in measured if one.trouble]
    if trouble:
        typer.echo("\n" * after_others + f"{len(trouble)} file{'s' * (len(trouble) != 1)} cannot be read:")
    for one in trouble:
        typer.echo(f"  {one.file.relative}: {one.trouble}")
