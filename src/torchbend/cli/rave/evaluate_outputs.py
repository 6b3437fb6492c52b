"""The files of ``torchbend rave evaluate``: a page to listen to, data, and figures."""

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from torch import Tensor

from torchbend.display import replacing, write_text
from torchbend.errors import MissingExtraError, TorchbendError
from torchbend.evaluation.figure import comparison_figure, figure_bytes
from torchbend.evaluation.models import Evaluation
from torchbend.evaluation.scores import Reference
from torchbend.evaluation.summary import as_data, table_of
from torchbend.plots import AudioComparison, Heading, Paragraph, Section, TableHtml, page

__all__ = ["check_outputs", "write_outputs"]

FIGURES = (".png", ".svg", ".pdf")
_HEARD = 3
_HEARD_S = 6

Found = Sequence[tuple[Evaluation, Reference]]

_WORDS = (
    "Spectral distance: RAVE's own, over windows of 2048 to 128 samples. Log-mel distance: the mean "
    "difference in 80 bands. Timbre distance: between all sounds and all reconstructions, whatever the note. "
    "Pitch: the share of the frames with a pitch whose reconstruction has the same, within half a semitone. "
    "The noise has the level of each sound in 16 bands and nothing else: the least that a model has to do "
    "better than."
)


def check_outputs(paths: Sequence[Path]) -> None:
    """Refuses, before the work, what cannot be written after it.

    Raises:
        typer.BadParameter: a file has another ending, or is a folder.
        MissingExtraError: a figure is wanted and matplotlib is not installed.
    """
    for path in paths:
        if path.suffix not in (".html", ".json", *FIGURES):
            raise typer.BadParameter(
                f"{path} should end in .html, .json, .png, .svg or .pdf", param_hint="--out"
            )
        if path.is_dir():
            raise typer.BadParameter(f"{path} is a folder", param_hint="--out")
        if path.suffix in FIGURES and not _draws():
            raise MissingExtraError.of("matplotlib", "plots", "a figure")


def write_outputs(paths: Sequence[Path], found: Found) -> None:
    """Writes each file; it appears whole or not at all.

    Args:
        paths: their endings choose what is written.
        found: evaluations, each with what it was compared with.

    Raises:
        TorchbendError: a file cannot be written.
    """
    evaluations = [evaluation for evaluation, _ in found]
    for path in paths:
        try:
            if path.suffix == ".json":
                write_text(path, json.dumps(_data(found), indent=1, allow_nan=False) + "\n")
            elif path.suffix == ".html":
                write_text(path, _page(found))
            else:
                with replacing(path) as temporary:
                    temporary.write_bytes(figure_bytes(comparison_figure(evaluations), path.suffix[1:]))
        except OSError as error:
            raise TorchbendError("the file cannot be written", site=str(path), got=str(error)) from error


def _draws() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def _data(found: Found) -> dict[str, object]:
    reference = found[0][1]
    return {
        "sounds": len(reference.sounds),
        "seconds": reference.seconds,
        "models": [{**as_data(evaluation), "sample_rate": other.sample_rate} for evaluation, other in found],
    }


def _page(found: Found) -> str:
    evaluations, reference = [evaluation for evaluation, _ in found], found[0][1]
    sections: list[Section] = [TableHtml(table_of(evaluations).html()), Paragraph(_WORDS)]
    if _draws():
        picture = base64.b64encode(figure_bytes(comparison_figure(evaluations))).decode("ascii")
        source = f"data:image/png;base64,{picture}"
        image = f'<img alt="bars: the numbers of the table" style="width:100%" src="{source}">'
        sections += [Heading("Side by side"), TableHtml(image)]
    sections.append(Heading("To be heard"))
    count = len(reference.sounds)
    for index in sorted({k * count // _HEARD for k in range(_HEARD)}):
        sections += _heard(found, index)
    subtitle = f"{count} sound(s), {reference.seconds:.1f} s, that the models should not have learnt"
    return page("How near models come", sections, subtitle, "Made by torchbend rave evaluate.")


def _heard(found: Found, index: int) -> Iterator[Section]:
    """One sound and what was made of it, two by two."""
    takes = [("the sound", found[0][1].sounds[index], found[0][1].sample_rate)]
    takes += [(e.name, e.made[index], other.sample_rate) for e, other in found]
    for first in range(0, len(takes), 2):
        name, sound, rate = takes[first]
        title = f"Sound {index + 1}" if first == 0 else f"Sound {index + 1}, again"
        if first + 1 < len(takes) and takes[first + 1][2] == rate:
            other, made, _ = takes[first + 1]
            yield AudioComparison(title, "", _cut(sound, rate), _cut(made, rate), rate, (name, other))
            continue
        for one, audio, its_rate in takes[first : first + 2]:
            yield AudioComparison(title, "", None, _cut(audio, its_rate), its_rate, ("", one))


def _cut(sound: Tensor, sample_rate: int) -> Tensor:
    return sound[..., : _HEARD_S * sample_rate]
