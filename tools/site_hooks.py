"""What mkdocs calls while it builds the documentation site: pages that are made, not written.

- ``notebooks/``: a page for each notebook of docs/notebooks, from its executed copy where there is one.
- ``reference/``: what the docstrings say (tools/site_reference.py).
- ``gallery.md``: players and spectrograms of the sounds that its examples write (tools/site_gallery.py).
- ``models/``: the cards of the models that come with the package; ``changelog.md``: CHANGELOG.md.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import site_cells
import site_gallery
import site_markdown
import site_notebooks
import site_reference
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
CARDS = ROOT / "src" / "torchbend" / "shipped"
LOG = logging.getLogger("mkdocs.plugins.torchbend")


def _notebooks() -> dict[str, Path]:
    """Each notebook by its name: the executed copy, or the notebook itself."""
    found = {}
    for notebook in sorted(site_notebooks.NOTEBOOKS.glob("*.ipynb")):
        copy = site_notebooks.copy_of(notebook)
        found[notebook.stem] = copy if copy.exists() else notebook
        if not copy.exists():
            LOG.info("%s is shown without outputs: it was not executed", notebook.name)
    return found


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Renders the notebooks, and writes the made pages into the navigation."""
    pages = {name: site_cells.rendered(file) for name, file in _notebooks().items()}
    config.extra["notebooks"] = pages
    made = {
        "notebooks/": [{page.title: f"notebooks/{name}.md"} for name, page in pages.items()],
        "reference/": [
            "reference/index.md",
            *({page.title: f"reference/{page.file}.md"} for page in site_reference.PAGES),
        ],
        "models/": [{card.stem: f"models/{card.name}"} for card in sorted(CARDS.glob("*.md"))],
    }
    config.nav = _filled(config.nav or [], made)
    _add_unnamed(config.nav, Path(config.docs_dir))
    return config


def _add_unnamed(nav: list[Any], docs: Path) -> None:
    """Pages that mkdocs.yml does not name stand at the end of the how-to section."""
    named = str(nav)
    section = next(entry["How to"] for entry in nav if isinstance(entry, dict) and "How to" in entry)
    section += [page.name for page in sorted(docs.glob("*.md")) if f"'{page.name}'" not in named]


def _filled(nav: list[Any], made: dict[str, list[Any]]) -> list[Any]:
    """The navigation with lists of pages in the place of folders; one without pages is left out."""
    done: list[Any] = []
    for entry in nav:
        title, inside = next(iter(entry.items())) if isinstance(entry, dict) else (None, entry)
        if isinstance(inside, list):
            done.append({title: _filled(inside, made)})
        elif inside not in made:
            done.append(entry)
        elif made[inside]:
            done.append({title: made[inside]})
    return done


@event_priority(100)
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the made pages and what they play and show."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        files.remove(file)
    for name, page in config.extra["notebooks"].items():
        files.append(File.generated(config, f"notebooks/{name}.md", content=page.text))
        for address, content in page.files.items():
            files.append(File.generated(config, f"notebooks/{address}", content=content))
    if any(page.has_figures for page in config.extra["notebooks"].values()):
        files.append(File.generated(config, "assets/plotly.min.js", abs_src_path=_plotly()))
    files.append(File.generated(config, "reference/index.md", content=site_reference.index()))
    for entry in site_reference.PAGES:
        text = site_reference.markdown(entry)
        files.append(File.generated(config, f"reference/{entry.file}.md", content=text))
    for sound in site_gallery.rendered():
        files.append(File.generated(config, f"sounds/{sound.name}", abs_src_path=str(sound)))
    for card in sorted(CARDS.glob("*.md")):
        files.append(File.generated(config, f"models/{card.name}", abs_src_path=str(card)))
    files.append(File.generated(config, "changelog.md", abs_src_path=str(ROOT / "CHANGELOG.md")))
    return files


def _plotly() -> str:
    """The plotly.js that the installed plotly brings (MIT licence)."""
    import plotly  # only where a notebook shows a figure

    return str(Path(plotly.__file__).parent / "package_data" / "plotly.min.js")


@event_priority(100)
def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page in the site's Markdown; the gallery gets its players."""
    if page.file.src_uri in ("index.md", "gallery.md"):
        page.meta["hide"] = ["navigation"]  # they stand alone in their section
    if page.file.src_uri == "gallery.md":
        markdown = site_gallery.with_players(markdown)
    return site_markdown.for_site(markdown, "../" * page.file.src_uri.count("/"))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Puts a notebook's outputs in their places, and figures into the page, where they follow its colours."""
    place, _, name = page.file.src_uri.rpartition("/")
    if place == "notebooks":
        notebook = config.extra["notebooks"][name.removesuffix(".md")]
        plotly = '<script defer src="../assets/plotly.min.js"></script>' if notebook.has_figures else ""
        link = name.removesuffix(".md") + ".ipynb"
        offer = f'<p><a class="md-button" href="{link}" download>Download this notebook</a></p>'
        head, end, rest = html.partition("</h1>")
        html = plotly + head + end + (offer + rest if end else offer)
        return str(notebook.with_outputs(html))
    return re.sub(r'<img alt="([^"]*)" src="figures/(concept_\w+\.svg)" ?/?>', _inline, html)


def _inline(found: re.Match[str]) -> str:
    """A drawing as part of the page: docs/assets/site.css gives it the page's colours."""
    svg = (ROOT / "docs" / "figures" / found[2]).read_text(encoding="utf-8")
    svg = re.sub(r"<style>.*?</style>", "", svg).replace("tb-tip", f"tb-tip-{Path(found[2]).stem}")
    return re.sub(r"^<svg ", f'<svg class="tb-figure" aria-label="{found[1]}" ', svg)


def on_post_build(config: MkDocsConfig) -> None:
    """Lays the notebooks beside their pages, as they are written: without outputs."""
    for name in config.extra["notebooks"]:
        target = Path(config.site_dir) / "notebooks" / f"{name}.ipynb"
        target.write_bytes((site_notebooks.NOTEBOOKS / target.name).read_bytes())
