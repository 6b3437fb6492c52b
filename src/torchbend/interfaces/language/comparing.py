"""Bent and unbent texts side by side."""

from __future__ import annotations

import json
import os
import textwrap
from dataclasses import dataclass
from pathlib import Path

from torchbend.display import Table, write_text
from torchbend.errors import GenerationError

__all__ = ["Comparison"]

_COLUMNS = ("prompt", "unbent", "bent")


@dataclass(frozen=True)
class Comparison:
    """What a model writes, unbent and bent, to the same prompts with the same random numbers.

    It prints as a table, and shows as one in a notebook.

    Attributes:
        prompts, unbent, bent: the texts, in the same order.
        bends: what was bent, as ``bended_keys()`` lists it.
        width: letters in a line of a column.
    """

    prompts: list[str]
    unbent: list[str]
    bent: list[str]
    bends: list[str]
    width: int = 36

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """Prompt, unbent text, bent text."""
        return list(zip(self.prompts, self.unbent, self.bent, strict=True))

    @property
    def table(self) -> Table:
        """The texts in lines of ``width`` letters, side by side; an empty line between two prompts."""
        lines: list[tuple[str, ...]] = []
        for row in self.rows:
            cells = [self._lines(text) for text in row]
            height = max(map(len, cells))
            lines += [("", "", "")] * bool(lines)
            lines += list(zip(*(cell + [""] * (height - len(cell)) for cell in cells), strict=True))
        return Table(_COLUMNS, lines)

    def _lines(self, text: str) -> list[str]:
        found: list[str] = []
        for line in _visible(text).split("\n"):
            found += textwrap.wrap(line, self.width, drop_whitespace=False) or [""]
        return [line.rstrip() for line in found]

    def __str__(self) -> str:
        return self.table.text()

    def _repr_html_(self) -> str:
        return self.table.html()

    def markdown(self) -> str:
        """As a page of Markdown: a heading, a table, what was bent."""
        rows = [[_visible(text).replace("\n", " ") for text in row] for row in self.rows]
        bends = "\n".join(f"- `{key}`" for key in self.bends) or "- nothing"
        return f"# Bent and unbent\n\n{Table(_COLUMNS, rows).markdown()}\n\nWhat was bent:\n\n{bends}\n"

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the texts to a ``.txt``, ``.md`` or ``.json`` file; it appears whole or not at all.

        Raises:
            GenerationError: the name of the file has another ending.
        """
        target = Path(path)
        kind = target.suffix.lower()
        if kind == ".txt":
            text = f"{self.table.text()}\n"
        elif kind == ".md":
            text = self.markdown()
        elif kind == ".json":
            made = [dict(zip(_COLUMNS, row, strict=True)) for row in self.rows]
            text = json.dumps({"texts": made, "bends": self.bends}, ensure_ascii=False, indent=2) + "\n"
        else:
            raise GenerationError(
                "texts are not written to such a file",
                site=str(target),
                wanted="a name that ends in .txt, .md or .json",
                got=kind or "no ending",
            )
        write_text(target, text)
        return target


def _visible(text: str) -> str:
    """The text without letters that a terminal would act on."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
