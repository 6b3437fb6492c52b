"""Links between the pages lead somewhere, and every page is found from the index."""

from __future__ import annotations

from pathlib import Path

import pytest

from .pages import PAGES, ROOT, anchors, links

EXTERNAL = ("http://", "https://", "mailto:")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_relative_links_and_anchors_exist(page: Path) -> None:
    dead = []
    for target in links(page.read_text(encoding="utf-8")):
        if target.startswith(EXTERNAL):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            dead.append(target)
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
            dead.append(f"{target} (no such heading)")
    assert not dead


def test_the_index_names_every_page() -> None:
    named = {target.partition("#")[0] for target in links((ROOT / "docs" / "index.md").read_text("utf-8"))}
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md", "benchmarks.md"}
    assert pages <= named


def test_the_readme_leads_to_the_documentation() -> None:
    targets = links((ROOT / "README.md").read_text("utf-8"))
    assert "docs/index.md" in targets
    assert "LICENSE" in targets
