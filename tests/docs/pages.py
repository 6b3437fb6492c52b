"""Reads the pages: their fenced blocks, their headings, their links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\S*) *(.*)$")
_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)")


@dataclass
class Block:
    """A fenced block of a page.

    Attributes:
        language: the first word after the fence.
        options: the words after it.
        text: what is inside.
        line: the number of its first line, from 1.
    """

    language: str
    options: str
    text: str
    line: int


@dataclass
class Example:
    """A block to run, and what the page says that it prints (None: the page does not say)."""

    block: Block
    output: Block | None


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found: list[Block] = []
    inside: list[str] | None = None
    for number, line in enumerate(page.splitlines(), 1):
        fence = _FENCE.match(line)
        if inside is None and fence:
            inside = []
            found.append(Block(fence[1], fence[2].strip(), "", number + 1))
        elif inside is not None and line.rstrip() == "```":
            found[-1].text = "".join(f"{part}\n" for part in inside)
            inside = None
        elif inside is not None:
            inside.append(line)
    if inside is not None:
        raise ValueError(f"a block that begins at line {found[-1].line} does not end")
    return found


def examples(page: str) -> list[Example]:
    """The blocks that are run (``python``, ``console``), each with the ``text`` block right behind it.

    ``python raises`` shows an error; ``python file=model.py`` is a file that later examples use.
    """
    found: list[Example] = []
    all_blocks = blocks(page)
    for here, after in zip_longest(all_blocks, all_blocks[1:]):
        if here.language == "python":
            told = after if after is not None and after.language == "text" else None
            found.append(Example(here, told))
        elif here.language == "console":
            found.append(Example(here, None))
    return found


def anchors(page: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    found: dict[str, int] = {}
    names = set()
    for line in _without_blocks(page).splitlines():
        heading = re.match(r"#{1,6} +(.*)", line)
        if heading:
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "").strip().lower()
            slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            count = found.get(slug, 0)
            found[slug] = count + 1
            names.add(f"{slug}-{count}" if count else slug)
    return names


def links(page: str) -> list[str]:
    """The targets of all links and pictures outside of blocks."""
    return [first or second for first, second in _LINK.findall(_without_blocks(page))]


def _without_blocks(page: str) -> str:
    return re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
