"""The page of the demonstration: sounds before and after, recipes, tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import torch
from torch import Tensor

from torchbend.demo.instrument import Instrument, NamedBend
from torchbend.demo.render import put_back
from torchbend.display import Table, weight_statistics, weights_table
from torchbend.plots import AudioComparison, Heading, Paragraph, Preformatted, Section, TableHtml, page

__all__ = ["Take", "bent_sites_table", "demo_page", "input_path"]

_MOST_SITES = 12
_LOOK = 8192


@dataclass(frozen=True)
class Take:
    """One phrase, bent.

    Attributes:
        phrase: its name.
        bend: what was done.
        before, after: sounds ``[samples]``.
        distance: between them, in dB.
        path: of the file.
    """

    phrase: str
    bend: NamedBend
    before: Tensor
    after: Tensor
    distance: float
    path: Path


def demo_page(instrument: Instrument, takes: Sequence[Take]) -> str:
    """The page as HTML that asks nothing of the network.

    Args:
        instrument: the model.
        takes: what was made with it.
    """
    sections: list[Section] = [Paragraph(instrument.story)]
    for number, bend in enumerate(instrument.bends, start=1):
        sections += _bend_sections(instrument, number, bend, [take for take in takes if take.bend is bend])
    sections += [Heading("The model"), *_model_sections(instrument)]
    sections += [
        Heading("Do it yourself"),
        Preformatted(_program(instrument), "In Python, in the folder of this page."),
    ]
    sections.append(Preformatted(_command(instrument), "On the command line, likewise."))
    return page(
        f"{instrument.title}, bent in {len(instrument.bends)} ways",
        sections,
        subtitle="Point at any place in a model, see what is there, change it, hear it.",
        footer="Made by torchbend demo. Everything is inside this one file.",
    )


def _bend_sections(
    instrument: Instrument, number: int, bend: NamedBend, takes: Sequence[Take]
) -> list[Section]:
    lines = [f"bended.bend({entry.callback!r}, {_raw(entry.patterns[0])})" for entry in bend.recipe.entries]
    if bend.sweep is not None:
        lines.append(f'bended.update("{bend.sweep.control}", ...)  # {bend.sweep.words}')
    return [
        Heading(f"{number}. {bend.name}"),
        Paragraph(bend.note),
        Preformatted("\n".join(lines)),
        *(
            AudioComparison(
                take.phrase,
                f"{take.distance:.1f} dB apart in the mean over the spectrogram",
                take.before,
                take.after,
                instrument.sample_rate,
                ("original", bend.name),
            )
            for take in takes
        ),
        TableHtml(bent_sites_table(instrument, bend).html(), "What was bent, before and after."),
    ]


def bent_sites_table(instrument: Instrument, bend: NamedBend) -> Table:
    """Mean, deviation and largest value of each bent site, before and after; at most 12 sites.

    The last column compares the change with the site's own values (root mean square of both).

    A control that moves stands in the middle of its way.

    Args:
        instrument: the model, not bent.
        bend: what to look at.
    """
    bended = instrument.bended
    rows: list[list[object]] = []
    with bended.bend(bend.recipe), put_back(bend), torch.no_grad():
        if bend.sweep is not None:
            bended.update(bend.sweep.control, bend.sweep.curve(0.5))
        for name, after in bended.bended_weights().items():
            rows.append(_row("weight", name, bended.weight(name), after))
        phrase = next(iter(instrument.phrases.values()))[..., :_LOOK]
        names = list(bended.bended_activations())
        if names:
            patterns = [f"{name}$" for name in names]
            for name, (before, after) in bended.get_activations(
                *patterns, _args=(phrase,), _values="both"
            ).items():
                rows.append(_row("activation", name, before, after))
    columns = ("site", "name", "shape", "mean", "after", "stddev", "after", "peak", "after", "changed by")
    return Table(columns, rows[:_MOST_SITES])


def _row(kind: str, name: str, before: Tensor, after: Tensor) -> list[object]:
    old, new = weight_statistics(before), weight_statistics(after)
    peaks = [max(abs(s.min), abs(s.max)) for s in (old, new)]
    shape = " × ".join(map(str, before.shape))
    share = float((after - before).norm() / before.norm())
    numbers = [old.mean, new.mean, old.stddev, new.stddev, *peaks]
    return [kind, name, shape, *(float(f"{number:.3g}") for number in numbers), f"{share:.0%}"]


def _model_sections(instrument: Instrument) -> list[Section]:
    bended = instrument.bended
    weights = weights_table((name, bended.weight(name)) for name in bended.weight_names)
    columns = ("name", "op", "target", "shape", "module", "source")
    rows = [
        (a.name, a.op, str(a.target), " × ".join(map(str, a.shape or ())), a.module_path, a.source)
        for a in bended.activations().values()
    ]
    return [
        TableHtml(bended._repr_html_(), "The modules and their weights; open what you want to see."),
        _folded(f"All {len(weights)} weights", weights),
        _folded(f"All {len(rows)} activations of one call", Table(columns, rows)),
    ]


def _folded(title: str, table: Table) -> TableHtml:
    return TableHtml(f"<details><summary>{escape(title)}</summary>{table.html()}</details>")


def _raw(pattern: str) -> str:
    return f'r"{pattern}"' if "\\" in pattern else f'"{pattern}"'


def _program(instrument: Instrument) -> str:
    module, _, factory = instrument.factory.partition(":")
    path = input_path(instrument, next(iter(instrument.phrases)))
    reading = (
        f'x = tb.audio.read_audio("{path}")[0][None]'
        if instrument.input_files
        else f'x = tb.weights_file.load_weights("{path}")["score"]'
    )
    return (
        f"import torchbend as tb\nfrom {module} import {factory}\n\n{reading}\n"
        f"bended = tb.BendedModule({factory}())\nbended.trace(x)\n"
        f'bended.bend(tb.BendingConfig.load("recipes/{instrument.bends[0].slug}.json", bended))\n'
        "out = bended(x)"
    )


def _command(instrument: Instrument) -> str:
    path = input_path(instrument, next(iter(instrument.phrases)))
    what = f"{instrument.factory} --input {path}"
    return (
        f"torchbend inspect {what}\n"
        f"torchbend bend {what} --recipe recipes/{instrument.bends[0].slug}.json \\\n"
        f"    --out bent.wav --sample-rate {instrument.sample_rate}"
    )


def input_path(instrument: Instrument, phrase: str) -> str:
    """Where the input of a phrase is written, seen from the folder of the page."""
    return f"inputs/{phrase}.{'wav' if instrument.input_files else 'safetensors'}"
