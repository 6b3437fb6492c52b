"""Tables as plain text, as HTML, and as files."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Protocol, TypeGuard

from torchbend.display.atomic import write_text
from torchbend.display.output import get_output, show_html
from torchbend.errors import TorchbendError

__all__ = ["Table", "TextWriter", "emit"]

_HEADER_PADDING = 2
"""A column is at least this much wider than its header."""

_STYLE = (
    ".tb-table{border-collapse:collapse;font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;"
    "color:inherit;background:transparent;margin:.4em 0}"
    ".tb-scroll .tb-table th,.tb-scroll .tb-table td{padding:.15em .9em .15em .3em;border:0;text-align:left;"
    "white-space:pre;background:transparent;color:inherit}"
    ".tb-scroll .tb-table th{font-weight:600;border-bottom:1px solid rgba(128,128,128,.55)}"
    ".tb-scroll .tb-table tbody tr:nth-child(even) td{background:rgba(128,128,128,.08)}"
    ".tb-scroll .tb-table .tb-number{text-align:right}"
    ".tb-scroll .tb-table thead th{position:sticky;top:0;background:"
    "var(--jp-layout-color0,var(--vscode-editor-background,var(--md-default-bg-color,var(--card,Canvas))))}"
    ".tb-scroll{overflow:auto;max-width:100%;max-height:44em}"
)


class ShownText(str):
    """The text of a table that has been shown already: as the last value of a cell it is not shown again."""

    __slots__ = ()

    def _ipython_display_(self) -> None:
        """Nothing more."""


class TextWriter(Protocol):
    """Anything with the ``write`` of a text file."""

    def write(self, text: str, /) -> object:
        """Take a piece of text."""
        ...


@dataclass(frozen=True)
class Table:
    """Named columns and rows of cells.

    A column whose cells are all numbers is a number column: it is shown with six significant
    digits and aligned on the decimal point. ``None`` shows as an empty cell. Any other column is text.

    Args:
        columns: the headers.
        rows: one sequence of cells for each row, as long as ``columns``.

    Raises:
        TorchbendError: a row has another number of cells than there are columns.

    >>> print(Table(["name", "mean"], [["f0", 110.0], ["amps", 0.25]]).text())
    name      mean
    ------  ------
    f0      110
    amps      0.25
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise TorchbendError(
                    "a row of a table does not fit its columns",
                    site=f"row {index}",
                    wanted=f"{len(self.columns)} cells ({', '.join(self.columns)})",
                    got=f"{len(row)} cells",
                )

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """The table as lines of text: headers, a row of dashes, the rows; no trailing spaces."""
        headers, lines = [], []
        for header, cells, is_number in self._formatted():
            width = max([len(header) + _HEADER_PADDING, *map(len, cells)])
            pad = str.rjust if is_number else str.ljust
            headers.append(pad(header, width))
            lines.append([pad(cell, width) for cell in cells])
        dashes = ["-" * len(header) for header in headers]
        rows = [headers, dashes, *zip(*lines, strict=True)]
        return "\n".join("  ".join(row).rstrip() for row in rows)

    def html(self) -> str:
        """The table as one piece of HTML that needs nothing from elsewhere; every cell is escaped."""
        columns = self._formatted()
        classes = [' class="tb-number"' if is_number else "" for _, _, is_number in columns]
        head = "".join(
            f"<th{mark}>{escape(header)}</th>" for (header, _, _), mark in zip(columns, classes, strict=True)
        )
        body = "".join(
            "<tr>"
            + "".join(
                f"<td{mark}>{escape(cells[index])}</td>"
                for (_, cells, _), mark in zip(columns, classes, strict=True)
            )
            + "</tr>"
            for index in range(len(self.rows))
        )
        return (
            f'<style>{_STYLE}</style><div class="tb-scroll" tabindex="0"><table class="tb-table">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def markdown(self) -> str:
        """The table as a page in Markdown shows it; every bar in a cell is escaped.

        >>> print(Table(["name", "mean"], [["f0", 110.0], ["amps", 0.25]]).markdown())
        | name | mean |
        | --- | --: |
        | f0 | 110 |
        | amps | 0.25 |
        """
        columns = self._formatted()
        rules = ["--:" if is_number else "---" for _, _, is_number in columns]
        cells = [[cell.strip().replace("|", "\\|") for cell in column] for _, column, _ in columns]
        rows = [[header for header, _, _ in columns], rules, *zip(*cells, strict=True)]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def _repr_html_(self) -> str:
        return self.html()

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the table: HTML where ``path`` ends in ``.html`` or ``.htm``, else the text.

        The file appears whole or not at all. Missing folders are made.

        Raises:
            OSError: the file cannot be written.
        """
        is_html = Path(path).suffix.lower() in {".html", ".htm"}
        write_text(path, (self.html() if is_html else self.text()) + "\n")

    def _formatted(self) -> list[tuple[str, list[str], bool]]:
        """Header, cells as aligned strings, and whether it is a number column; for each column."""
        formatted = []
        for index, header in enumerate(self.columns):
            cells = [row[index] for row in self.rows]
            given = [cell for cell in cells if cell is not None]
            if given and all(_is_number(cell) for cell in given):
                formatted.append((header, _number_cells(cells), True))
            else:
                formatted.append((header, [_text_cell(cell) for cell in cells], False))
        return formatted


def emit(table: Table, out: str | os.PathLike[str] | TextWriter | None = None) -> str:
    """Show a table, or write it somewhere.

    Args:
        table: what to show.
        out: a path, written by :meth:`Table.write`; a text file or anything with its ``write``; or
            ``None``: printed, or shown as HTML where the output mode is ``"notebook"``.

    Returns:
        The text of the table, whatever was shown; a notebook does not show it a second time.

    Raises:
        TorchbendError: ``out`` is none of these.
        MissingExtraError: the output mode is ``"notebook"`` and IPython is not installed.
        OSError: the file cannot be written.
    """
    text = table.text()
    if out is None:
        if get_output() == "notebook":
            show_html(table.html())
        else:
            print(text)
        return ShownText(text)
    if isinstance(out, str | os.PathLike):
        table.write(out)
    elif callable(getattr(out, "write", None)):
        out.write(text + "\n")
    else:
        raise TorchbendError(
            "a table cannot be written there",
            site="out",
            wanted="a path, an open text file, or None to print it",
            got=type(out).__name__,
        )
    return text


def _is_number(cell: object) -> TypeGuard[float]:
    return isinstance(cell, numbers.Real) and not isinstance(cell, bool)


def _text_cell(cell: object) -> str:
    return "" if cell is None else " ".join(str(cell).splitlines())


def _number_cells(cells: Sequence[object]) -> list[str]:
    """Numbers as strings, padded on the right so that their decimal points meet."""
    whole = all(isinstance(cell, numbers.Integral) for cell in cells if cell is not None)
    strings = [
        "" if not _is_number(cell) else str(int(cell)) if whole else _six_digits(float(cell))
        for cell in cells
    ]
    tails = [_length_after_point(string) for string in strings]
    longest = max(tails)
    return [string + " " * (longest - tail) for string, tail in zip(strings, tails, strict=True)]


def _six_digits(value: float) -> str:
    return "nan" if math.isnan(value) else f"{value:g}"


def _length_after_point(string: str) -> int:
    """Characters after the decimal point, or else after the exponent's ``e``; -1 without either."""
    for mark in (".", "e"):
        if mark in string:
            return len(string) - string.rindex(mark) - 1
    return -1
