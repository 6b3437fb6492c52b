"""Read the documents: their code cells, and the tables that they show."""

from __future__ import annotations

import json
import re
from pathlib import Path

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_RULE = re.compile(r"-{2,}(  -{2,})+\s*$")

Rows = list[list[str]]


def code_cells(shared: Path, document: str) -> list[str]:
    """The code cells of a document, in order."""
    cells: list[str] = json.loads((shared / "seeds" / "cells.json").read_text())[document]
    return cells


def document_text(shared: Path, document: str) -> str:
    """The document with its outputs, as text."""
    (path,) = (shared / "seeds").glob(f"{document}_*.txt")
    return path.read_text()


def tables(text: str) -> list[tuple[list[str], Rows]]:
    """Each table in ``text`` as its header and its rows of cells; addresses in memory are left out.

    The documents cut long outputs: the last row of a table may be short and its last cell a beginning.
    """
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines):
        if number == 0 or not _RULE.match(line):
            continue
        rows: Rows = []
        for row in lines[number + 1 :]:
            if not row.strip():
                break
            rows.append(split_row(row))
        found.append((split_row(lines[number - 1]), rows))
    return found


def split_row(line: str) -> list[str]:
    """The cells of a row: columns are set apart by two spaces or more."""
    return re.split(r"\s{2,}", _ADDRESS.sub("", line).rstrip("\n"))


def agrees(shown: list[str], printed: list[str]) -> bool:
    """Whether a row of a document is the printed one, as far as the document shows it."""
    *whole, last = shown
    if len(shown) > len(printed) or whole != printed[: len(whole)]:
        return False
    cut = len(shown) < len(printed)
    return printed[len(whole)].startswith(last) if cut else printed[len(whole)] == last
