"""``torchbend rave preprocess``: from folders of sound files to a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["preprocess"]

_ROWS = 20


def preprocess(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "--output-path", "--output_path", "-o", metavar="DB", help="Folder of the corpus."
        ),
    ],
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[FOLDER]...", help="More inputs.", show_default=False)
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--input",
            "--input-path",
            "--input_path",
            "-i",
            metavar="FOLDER",
            help="A folder of sounds, or a sound file. May be repeated.",
        ),
    ] = None,
    sample_rate: Annotated[
        int,
        typer.Option("--sr", "--sampling-rate", "--sampling_rate", min=1, metavar="HZ", help="Sample rate."),
    ] = 44_100,
    channels: Annotated[int, typer.Option("--channels", min=1, help="1 is mono, 2 is stereo.")] = 1,
    lazy: Annotated[
        bool,
        typer.Option(
            "--lazy/--no-lazy",
            help="Copy no samples: list the files, and decode them while training. Slower, needs no disk.",
        ),
    ] = False,
    num_signal: Annotated[
        int,
        typer.Option(
            "--num-signal",
            "--num_signal",
            min=1,
            metavar="SAMPLES",
            help="Refuse what is shorter: the length of an excerpt in training.",
        ),
    ] = 131_072,
    pad: Annotated[bool, typer.Option("--pad", help="Add silence to what is shorter, and keep it.")] = False,
    silence: Annotated[
        float, typer.Option("--silence", max=0, metavar="DB", help="Refuse what never gets louder.")
    ] = -60.0,
    ext: Annotated[
        list[str] | None,
        typer.Option("--ext", metavar="SUFFIX", help="Take these files only, as wav. May be repeated."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", "-j", min=1, help="Processes that work at once; by default one per processor."
        ),
    ] = None,
    ray: Annotated[
        bool, typer.Option("--ray", help="Work on the machines of a ray cluster (RAY_ADDRESS).")
    ] = False,
    max_db_size: Annotated[float, typer.Option("--max-db-size", "--max_db_size", hidden=True)] = 0,
    dyndb: Annotated[bool, typer.Option("--dyndb/--nodyndb", hidden=True)] = True,
) -> None:
    """Take the sounds of folders into a corpus that training reads at any place at once.

    May be ended at any time, and run again: it goes on where it was, skips what is there, and reads anew what
    has changed. More folders extend the corpus. What is refused (too short, silent, unreadable) is told, and
    listed in report.json beside the samples; clipped sounds are told and kept. A corpus has no largest size.
    """
    from torchbend.corpus.ingest import Limits
    from torchbend.corpus.preprocessing import preprocess as run
    from torchbend.corpus.workers import processors
    from torchbend.display.table import emit

    given = [*(inputs or ()), *(folders or ())]
    if not given:
        raise typer.BadParameter("a folder of sounds is needed", param_hint="--input")
    report = run(
        given,
        output,
        sample_rate,
        channels,
        lazy,
        Limits(num_signal, silence, pad),
        workers or processors(),
        ray,
        ext,
    )
    typer.echo(report.summary())
    if report.rejected:
        typer.echo()
        emit(report.refused(_ROWS))
        more = len(report.rejected) - _ROWS
        typer.echo((f"and {more} more: " if more > 0 else "\nall of this: ") + str(report.path))
    if not report.sounds:
        raise typer.Exit(1)
