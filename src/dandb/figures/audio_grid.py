"""A table of players: rows and columns with names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np
import torch

from dandb.figures.chart import Array, Chart, Panel, Player
from dandb.figures.figure import Figure
from dandb.figures.page import ground, page
from dandb.figures.players import audio_element, checked_rate, player_of, samples_of
from dandb.figures.sound_panels import waveform_panel
from dandb.figures.theme import theme_of
from dandb.figures.values import blanked, joined
from torchbend.errors import ShapeError
from torchbend.plots import waveform_svg

__all__ = ["AudioGrid", "make_audio_grid"]

_MOST = 100
"""Players of a table: each holds its sound."""


class AudioGrid(Figure):
    """A table of players, each below the waveform of its sound; in files other than HTML, the waveforms.

    Args:
        chart: a panel and a player for each sound.
        rows, columns: their names; a table of one column may have none for it.
    """

    def __init__(self, chart: Chart, rows: Sequence[str], columns: Sequence[str]) -> None:
        super().__init__(chart)
        self.rows, self.columns = tuple(rows), tuple(columns)

    def html(self) -> str:
        """A page that needs nothing from elsewhere."""
        return page(self.chart, self.table())

    def table(self) -> str:
        """The table as a piece of HTML."""
        chart = self.chart
        players = iter(chart.players)
        lines = []
        for named, row in zip(self.rows, chart.rows, strict=True):
            cells = "".join(f"<td>{_cell(next(players), chart) if panel else ''}</td>" for panel in row)
            lines.append(f'<tr><th scope="row">{escape(named)}</th>{cells}</tr>')
        left = 'style="text-align:left"'  # notebooks align tables to the right, the players are on the left
        columns = "".join(f'<th scope="col" {left}>{escape(name)}</th>' for name in self.columns)
        top = f"<thead><tr><td></td>{columns}</tr></thead>" if any(self.columns) else ""
        caption = f"<b>{escape(chart.title)}</b><br>{escape(chart.subtitle)}"
        return (
            f'<div style="{ground(chart)};overflow-x:auto;font:13px system-ui,sans-serif">'
            '<table class="dandb-grid" style="border-spacing:10px 4px;background:none;color:inherit">'
            f'<caption style="text-align:left;padding:6px 10px">{caption}</caption>'
            f"{top}<tbody>{''.join(lines)}</tbody></table></div>"
        )

    def _draw_in_notebook(self) -> bool:
        return self._display_html(self.table())


def make_audio_grid(
    sounds: object,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    display: bool | None = None,
    sr: float = 44100,
    *,
    name: str = "sounds",
    normalize: bool = False,
    theme: str | None = None,
) -> AudioGrid:
    """A table of players, to compare many sounds.

    Args:
        sounds: rows of sounds, as ``[[a, b], [c, d]]``; ``None`` leaves a place empty. A list of sounds, or a
            batch ``[N, C, T]``, is one column; a dictionary gives the rows' names as well, and one of
            dictionaries the columns' too. Each sound is ``[T]`` or ``[C, T]``; at most 100 in all.
        rows: names of the rows.
        columns: names of the columns.
        display: ``True`` draws at once, ``None`` at the end of the cell at the latest, ``False`` not until
            asked for; see `Figure`.
        sr: the sample rate of all in Hz.
        name: the table's title.
        normalize: the players turn sounds that pass full scale down, instead of clipping them.
        theme: ``"light"``, ``"dark"``, or ``None`` for that of plotly in this session.

    Returns:
        The table, a figure as the others: ``.save("grid.html")`` keeps it with its sounds.

    Raises:
        ShapeError: rows of different lengths, another number of names, no or too many sounds.
        TorchbendError: no numbers, no sample rate, or an unknown theme.
    """
    cells, row_names, column_names = _cells(sounds)
    row_names = _named(rows, row_names, len(cells), "rows")
    column_names = _named(columns, column_names, len(cells[0]), "columns")
    rate, players, panels = checked_rate(sr), [], []
    for label, row in zip(row_names, cells, strict=True):
        line: list[Panel | None] = []
        for head, sound in zip(column_names, row, strict=True):
            title = f"{label} / {head}" if head else label
            line.append(None if sound is None else _panel(sound, rate, title))
            if sound is not None:
                players.append(player_of(title, sound, rate, normalize))
        panels.append(tuple(line))
    count = f"{len(players)} sound{'s' if len(players) != 1 else ''} at {rate} Hz"
    facts = f"{count} in {len(cells)} rows and {len(cells[0])} columns."
    loud = sum("full scale" in player.note or "softer" in player.note for player in players)
    note = f"{loud} of them pass full scale: {'turned down' if normalize else 'clipped'}." if loud else ""
    chart = Chart(
        title=name,
        subtitle=joined(facts, note),
        description=joined(f"Table of players. {facts}", note, f"Rows: {', '.join(row_names)}."),
        rows=tuple(panels),
        heights=(56.0,) * len(panels),
        theme=theme_of(theme),
        players=tuple(players),
    )
    grid = AudioGrid(chart, row_names, column_names)
    grid.appear(display)
    return grid


def _cells(sounds: object) -> tuple[list[list[Array | None]], list[str] | None, list[str] | None]:
    """Sounds in rows, and the names that a dictionary gives them."""
    row_names = column_names = None
    rows: list[Any]
    if isinstance(sounds, Mapping):
        row_names, rows = [str(key) for key in sounds], list(sounds.values())
        if rows and all(isinstance(row, Mapping) for row in rows):
            heads = list(dict.fromkeys(key for row in rows for key in row))
            column_names = [str(head) for head in heads]
            rows = [[row.get(head) for head in heads] for row in rows]
    elif _is_row(sounds) or len(getattr(sounds, "shape", ())) == 3:
        rows = list(sounds)  # type: ignore[call-overload]
    else:
        rows = [sounds]
    found = []
    for i, row in enumerate(list(row) if _is_row(row) else [row] for row in rows):
        found.append([None if x is None else samples_of(x, f"sounds[{i}][{j}]") for j, x in enumerate(row)])
    widths = {len(row) for row in found}
    counts = [sum(cell is not None for cell in row) for row in found]
    if len(widths) != 1 or not all(counts) or sum(counts) > _MOST:
        raise ShapeError(
            "these sounds make no table",
            site="sounds",
            wanted=f"rows of one length, each with a sound at least, {_MOST} sounds at most",
            got=f"{len(found)} rows of {sorted(widths)} places, {sum(counts)} sounds",
        )
    return found, row_names, column_names


def _is_row(row: object) -> bool:
    """Whether this is a row of sounds, and no sound itself: a list of numbers is a sound."""
    if not isinstance(row, list | tuple):
        return False
    return not row or not all(isinstance(cell, int | float) for cell in row)


def _named(given: Sequence[str] | None, known: list[str] | None, count: int, site: str) -> list[str]:
    if given is not None and len(given) != count:
        raise ShapeError("another number of names", site=site, wanted=f"{count} names", got=f"{len(given)}")
    if given is not None:
        return [str(name) for name in given]
    if known is not None:
        return known
    return [""] if site == "columns" and count == 1 else [f"{site[:-1]} {number}" for number in range(count)]


def _panel(sound: Array, rate: int, title: str) -> Panel:
    mean = blanked(sound)[0].mean(0, keepdims=True)
    peak = float(np.nanmax(np.abs(mean), initial=0.0))
    return replace(waveform_panel(mean, rate, limit=max(1.0, 1.05 * peak)), title=title, axes=False)


def _cell(player: Player, chart: Chart) -> str:
    colour = chart.theme.line(0)[0]
    picture = waveform_svg(player.sound.to(torch.float32), 240, 44, colour, f"waveform of {player.name}")
    note = f'<div style="font-size:11px;max-width:240px;opacity:.8">{escape(player.note)}</div>'
    return f"{picture}<br>{audio_element(player, 'width:240px;height:2.2em')}{note if player.note else ''}"
