"""``torchbend rave resample``: any sounds as WAV files of one rate, and hours out of minutes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torchbend.corpus.resampling import Resampled

__all__ = ["resample"]

_TOLD = 20
"""Rejected files that are named; the others are counted."""


def resample(
    sr: Annotated[
        int, typer.Option("--sr", "--sample-rate", min=1, metavar="HZ", help="The sample rate to convert to.")
    ] = 44100,
    source: Annotated[
        Path, typer.Option("--input", "-i", metavar="FOLDER", help="The sounds; by default where you are.")
    ] = Path(),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="By default out_SR, as out_48000.")
    ] = None,
    augment: Annotated[
        bool,
        typer.Option(
            "--augment/--no-augment",
            help="Make altered copies too. By default as many as make 10.5 hours, 48 of each sound at most.",
        ),
    ] = False,
    copies: Annotated[
        int | None, typer.Option("--copies", min=0, metavar="N", help="Altered copies of each sound.")
    ] = None,
    hours: Annotated[
        float | None, typer.Option("--hours", min=0, metavar="H", help="Copies until there are H hours.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the copies: the same seed, the same copies.")] = 0,
    pitch: Annotated[
        str, typer.Option("--pitch", metavar="LOW,HIGH", help="Range of copies in semitones.")
    ] = "-2,2",
    speed: Annotated[
        str, typer.Option("--speed", metavar="LOW,HIGH", help="Range of copies; 2 is twice as fast.")
    ] = "0.85,1.2",
    gain: Annotated[str, typer.Option("--gain", metavar="LOW,HIGH", help="Range of copies in dB.")] = "-6,3",
    equaliser: Annotated[
        float, typer.Option("--eq", min=0, metavar="DB", help="The most that a band is lowered or raised.")
    ] = 3.0,
    filters: Annotated[
        float,
        typer.Option("--filters", min=0, max=1, help="Share of copies low-passed, and of those high-passed."),
    ] = 0.2,
    tape: Annotated[
        bool, typer.Option("--tape", help="Pitch and speed change together, as on a tape, by --pitch.")
    ] = False,
    channels: Annotated[
        int, typer.Option("--channels", min=0, metavar="N", help="1 is mono; 0 keeps those of each file.")
    ] = 1,
    trim_silence: Annotated[
        float, typer.Option("--trim-silence", max=0, metavar="DB", help="What is softer is cut.")
    ] = -60.0,
    keep_silence: Annotated[bool, typer.Option("--keep-silence", help="Cut nothing.")] = False,
    loudness: Annotated[
        float | None,
        typer.Option(
            "--loudness",
            max=0,
            metavar="LUFS",
            help="Bring each sound there by one gain of at most 12 dB, as -23 (ITU-R BS.1770).",
        ),
    ] = None,
    normalise: Annotated[
        bool, typer.Option("--normalise", "--normalize", help="Bring each file to full scale.")
    ] = False,
    shortest: Annotated[
        float, typer.Option("--shortest", min=0, metavar="SECONDS", help="What is shorter is left out.")
    ] = 0.1,
    piece: Annotated[
        float,
        typer.Option("--piece", min=1, metavar="SECONDS", help="Longer sounds are cut into pieces."),
    ] = 120.0,
    workers: Annotated[
        int, typer.Option("--workers", min=0, metavar="N", help="Processes; 0 is one for each processor.")
    ] = 0,
    ray: Annotated[bool, typer.Option("--ray", help="Work on a ray cluster that sees the folders.")] = False,
) -> None:
    """Convert every sound of a folder to 16 bit WAV at one sample rate, and make altered copies of it.

    Any format that libsndfile reads, and others where PyAV or ffmpeg is installed. The same command again
    goes on where it was stopped. What was made of what is in augmentation.json, in the output folder;
    training uses it, so that no copy of a held-out sound is trained on. What cannot be used is told, with
    the reason; the status is 1 where nothing can.
    """
    if not augment and (copies is not None or hours is not None):
        raise typer.BadParameter("copies are made with --augment", param_hint="--augment")
    if copies is not None and hours is not None:
        raise typer.BadParameter("--copies or --hours, not both", param_hint="--hours")
    from torchbend.corpus.augmentation import Augmentation
    from torchbend.corpus.conversion import Conversion
    from torchbend.corpus.resampling import resample_folder

    drawn: Augmentation | None = None
    if augment:
        drawn = Augmentation(
            seed=seed,
            pitch=_range(pitch, "--pitch"),
            speed=_range(speed, "--speed"),
            gain=_range(gain, "--gain"),
            bell_gain=equaliser,
            shelf_gain=equaliser,
            filter_chance=filters,
            tape=tape,
        )
    silence = None if keep_silence else trim_silence
    report = resample_folder(
        source,
        output or Path(f"out_{sr}"),
        Conversion(sr, channels or None, silence, loudness, normalise, shortest),
        drawn,
        copies=copies,
        hours=hours,
        piece=piece,
        workers=workers,
        ray=ray,
    )
    _tell(report, output or Path(f"out_{sr}"))
    if not report.written and not report.kept:
        raise typer.Exit(1)


def _range(text: str, option: str) -> tuple[float, float]:
    """Two numbers, or one that stands for both."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(map(math.isfinite, numbers)) or numbers[0] > numbers[-1]:
        raise typer.BadParameter(f"{text}: two numbers, low then high, as -2,2", param_hint=option)
    return numbers[0], numbers[-1]


def _tell(report: Resampled, output: Path) -> None:
    from torchbend.corpus.durations import in_words

    typer.echo(f"found {report.sources} sounds, {in_words(report.source_seconds)}")
    if report.kept:
        typer.echo(f"kept {report.kept} files of an earlier run, {in_words(report.kept_seconds)}")
    pace = report.written_seconds / max(report.took, 1e-9) / 60
    typer.echo(
        f"wrote {report.written} files, {in_words(report.written_seconds)}, to {output}"
        f" in {report.took:.1f} s: {pace:.2g} hours of sound in a minute"
    )
    if report.others:
        typer.echo(f"{report.others} files of earlier runs with other settings lie there too")
    if report.rejected:
        typer.echo(f"\nleft out {len(report.rejected)}:")
        for name, why in list(report.rejected.items())[:_TOLD]:
            typer.echo(f"  {name}: {why}")
        if len(report.rejected) > _TOLD:
            typer.echo(f"  and {len(report.rejected) - _TOLD} more, in {output / 'augmentation.json'}")
