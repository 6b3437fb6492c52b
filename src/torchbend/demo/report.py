"""The page of the demonstration: sounds before and after, latents, the stage, tables, programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from torch import Tensor

from torchbend.demo.instrument import Instrument, LatentPlay, LatentSpace, NamedBend
from torchbend.demo.programs import bend_code
from torchbend.demo.stage import Staged, stage_path
from torchbend.demo.tables import (
    attributes_table,
    bent_sites_table,
    cost_table,
    latent_curves,
    latents_table,
    played_curves,
)
from torchbend.demo.takes import Take, changes_table
from torchbend.display import Table, weights_table
from torchbend.plots import AudioComparison, Heading, Paragraph, Preformatted, Section, TableHtml, page

__all__ = ["MADE_BY", "Results", "demo_page"]

MADE_BY = "Made by torchbend demo."
"""Stands at the end of each page, and tells it from pages of others."""

_DO_IT = "Do it yourself"

_NUMBERS = {3: "three", 5: "five"}


@dataclass
class Results:
    """What was made with an instrument.

    Attributes:
        takes: every sound.
        played: the components that each latent play used, by its name.
        staged: the exported file.
        levels: of the unbent model's own output, in dB, by phrase.
    """

    takes: list[Take] = field(default_factory=list)
    played: dict[str, Tensor] = field(default_factory=dict)
    staged: Staged | None = None
    levels: dict[str, float] = field(default_factory=dict)


def demo_page(instrument: Instrument, results: Results) -> str:
    """The page as HTML that asks nothing of the network.

    Args:
        instrument: the model.
        results: what was made with it.
    """
    sections: list[Section] = [Paragraph(instrument.story)]
    if instrument.input_files:
        sections += [Heading("What it hears, and what it answers"), *_players(results.takes, None)]
    for number, bend in enumerate(instrument.bends, start=1):
        sections += [Heading(f"{number}. {bend.name}"), *_bend_sections(instrument, bend, results.takes)]
    if instrument.latents is not None:
        for number, play in enumerate(instrument.plays, start=len(instrument.bends) + 1):
            sections += [
                Heading(f"{number}. {play.name}"),
                *_play_sections(instrument.latents, play, results),
            ]
    sections += [
        Heading("What changed"),
        TableHtml(changes_table(results.takes).html(), _CHANGES),
    ]
    if instrument.latents is not None:
        sections += [Heading("The latents"), *_latent_sections(instrument.latents)]
    if results.staged is not None:
        sections += [Heading("On stage"), *_stage_sections(instrument, results.staged)]
    sections += [Heading("The model"), *_model_sections(instrument)]
    sections += [
        Heading(_DO_IT),
        Preformatted(instrument.program, "In Python, in the folder of this page."),
        Preformatted(instrument.commands, "On the command line, likewise."),
    ]
    count = instrument.way_count
    return page(
        f"{instrument.title}, bent in {_NUMBERS.get(count, count)} ways",
        sections,
        subtitle="Point at any place in a model, see what is there, change it, hear it.",
        footer=f"{MADE_BY} Everything is inside this one file.",
    )


_CHANGES = (
    "Apart: the mean distance of two mel spectra over 80 dB of range; of the unbent model from what went in, "
    "of the others from the unbent one. Louder: the model's own output against the same; in the files all "
    "are made as loud as each other, as far as they fit. Centre: of the spectrum."
)


def _players(takes: Sequence[Take], way: NamedBend | LatentPlay | None) -> list[Section]:
    return [
        AudioComparison(
            take.phrase or take.labels[1],
            take.words(),
            take.before,
            take.after,
            take.sample_rate,
            take.labels,
        )
        for take in takes
        if take.way is way
    ]


# -- bends and plays -------------------------------------------------------------------------------------


def _bend_sections(instrument: Instrument, bend: NamedBend, takes: Sequence[Take]) -> list[Section]:
    lines = [bend_code(entry) for entry in bend.recipe.entries]
    if bend.sweep is not None:
        lines.append(f'bended.update("{bend.sweep.control}", ...)  # {bend.sweep.words}')
    return [
        Paragraph(bend.note),
        Preformatted("\n".join(lines), f"The same as recipes/{bend.slug}.json, for the {_DO_IT!r} below."),
        *_players(takes, bend),
        TableHtml(bent_sites_table(instrument, bend).html(), "What was bent, before and after."),
    ]


def _play_sections(space: LatentSpace, play: LatentPlay, results: Results) -> list[Section]:
    return [
        Paragraph(play.note),
        *_players(results.takes, play),
        TableHtml(played_curves(space, play, results.played[play.name]), "Where the latents run."),
        Preformatted(play.script.strip(), f"The whole program: scripts/{play.slug}.py"),
    ]


def _latent_sections(space: LatentSpace) -> list[Section]:
    return [
        Paragraph(
            f"A frame of latents stands for {1e3 * space.frame_seconds:.0f} ms of sound. They are turned to "
            "their principal components, the most telling first: few of them hold nearly all that the model "
            "hears."
        ),
        TableHtml(latent_curves(space), "What the encoder makes of both phrases."),
        TableHtml(latents_table(space).html(), "Variance over the sounds that the model learned from."),
    ]


# -- the stage and the model -----------------------------------------------------------------------------


def _stage_sections(instrument: Instrument, staged: Staged) -> list[Section]:
    names = " and ".join(bend.name for bend in instrument.stage.bends) if instrument.stage else ""
    warnings = len(staged.report.warnings)
    told = "Nothing failed" + (
        f"; {warnings} warning(s)." if warnings else ", and there was nothing to warn of."
    )
    same = f"within {staged.difference:.1g}" if staged.difference else "to the bit"
    found = [Preformatted(finding.text()) for finding in staged.report.findings]
    return [
        Paragraph(
            f"{stage_path(instrument)} is the model with {names}, for nn~ in Max and Pure Data; the controls "
            f"are attributes that can be turned while it plays. Beside it: {_listed(staged)}. The file was "
            f"loaded in a process of its own and played block by block: it gives what the live model gives, "
            f"{same}. {told}"
        ),
        TableHtml(
            attributes_table(staged).html(), "Controls: in nn~, the message “set wear 0.1” or a number box."
        ),
        TableHtml(
            cost_table(staged).html(), "On one thread of this machine. Latency with the host's own buffer."
        ),
        *found,
    ]


def _listed(staged: Staged) -> str:
    kinds = {
        ".json": "a description",
        ".maxpat": "a patch for Max",
        ".pd": "a patch for Pure Data",
    }
    return ", ".join(f"{kinds[path.suffix]} ({path.name})" for path in staged.beside)


def _model_sections(instrument: Instrument) -> list[Section]:
    bended = instrument.bended
    places = bended._places()  # once: it looks through the whole module
    weights = weights_table((name, place.read()) for name, place in places.weights.items())
    sections: list[Section] = [
        TableHtml(bended._repr_html_(), "The modules and their weights; open what you want to see."),
        _folded(f"All {len(weights)} weights", weights),
    ]
    columns = ("name", "op", "target", "shape", "module", "source")
    for method in instrument.probes:
        rows = [
            (a.name, a.op, str(a.target), " × ".join(map(str, a.shape or ())), a.module_path, a.source)
            for a in bended.activations(method).values()
        ]
        sections.append(_folded(f"All {len(rows)} activations of {method}()", Table(columns, rows)))
    return sections


def _folded(title: str, table: Table) -> TableHtml:
    return TableHtml(f"<details><summary>{escape(title)}</summary>{table.html()}</details>")
