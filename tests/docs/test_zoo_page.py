"""The generated page of the zoo is that of the present zoo, and shows no failure."""

from __future__ import annotations

import re

from tests.zoo.entry import ZOO

from .pages import ROOT

PAGE = (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8")


def test_each_architecture_has_its_row() -> None:
    rows = re.findall(r"^\| (\w+)(?: \(`\w+`\))? \| [\d,]+ \|", PAGE, flags=re.MULTILINE)
    assert rows == [entry.name for entry in ZOO], "run: python tools/zoo_table.py"


def test_nothing_differs() -> None:
    assert "**differs**" not in PAGE
    assert "not expected" not in PAGE


def test_the_readme_counts_them_right() -> None:
    assert f"[{len(ZOO)} architectures](docs/zoo.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
