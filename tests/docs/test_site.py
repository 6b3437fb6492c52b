"""The documentation site: complete, at rest (it loads nothing from elsewhere), and for everybody.

``make docs`` builds it into build/site, ``make test`` names that in TORCHBEND_SITE; otherwise it is built
here, once.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tools import concept_figures

from .pages import ROOT
from .site import Reader, is_elsewhere, target

Pages = dict[str, Reader]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    pytest.importorskip("mkdocstrings")
    built = os.environ.get("TORCHBEND_SITE")
    if built:
        return (ROOT / built).resolve()
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> Pages:
    """Each page of the site, by its path."""
    found = {}
    for file in sorted(site.rglob("*.html")):
        found[file.relative_to(site).as_posix()] = Reader(file.read_text(encoding="utf-8"))
    return found


def test_the_navigation_lists_every_page_and_every_page_exists(site: Path, pages: Pages) -> None:
    listed = {target(site / "index.html", link) for link in pages["index.html"].links()} - {None}
    made = {(site / name).resolve() for name in pages if name != "404.html"}
    assert made <= listed
    written = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert written <= {Path(name).stem for name in pages if "/" not in name}


def test_every_notebook_has_its_page_and_can_be_downloaded(site: Path, pages: Pages) -> None:
    notebooks = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
    assert {f"notebooks/{file.stem}.html" for file in notebooks} <= set(pages)
    for file in notebooks:
        assert (site / "notebooks" / file.name).read_bytes() == file.read_bytes()


def test_no_page_loads_anything_from_elsewhere(pages: Pages) -> None:
    loaded = {name: [x for x in page.loads() if is_elsewhere(x)] for name, page in pages.items()}
    assert not {name: found for name, found in loaded.items() if found}


def test_neither_do_styles_and_our_own_scripts(site: Path) -> None:
    for style in site.rglob("*.css"):
        found = re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)", style.read_text("utf-8"))
        assert not found, style
    for script in (ROOT / "docs" / "assets").glob("*.js"):
        assert "//" not in re.sub(r"^\s*//.*$", "", script.read_text("utf-8"), flags=re.MULTILINE), script


def test_what_pages_load_and_link_is_there(site: Path, pages: Pages) -> None:
    dead = set()
    for name, page in pages.items():
        if name == "404.html":
            continue
        for address in (*page.loads(), *page.links()):
            file = target(site / name, address)
            if file is not None and not file.exists():
                dead.add((name, address))
    assert not dead


def test_pictures_and_sounds_are_told_in_words(pages: Pages) -> None:
    silent = []
    for name, page in pages.items():
        for tag in page.tags:
            words = tag.attributes.get("aria-label") or tag.attributes.get("alt", "")
            if tag.name in ("img", "audio") and not words.strip() and "md-logo" not in str(tag):
                silent.append((name, tag))
    assert not silent
    assert all(page.tags[0].attributes.get("lang") == "en" for page in pages.values() if page.tags)


@pytest.mark.parametrize(
    "package",
    [
        "torchbend",
        "torchbend.rave",
        "torchbend.evaluation",
        "torchbend.export",
        "torchbend.export.check",
        "torchbend.errors",
        "torchbend.audio",
        "torchbend.plots",
        "torchbend.capture",
        "torchbend.shipped",
        "dandb",
    ],
)
def test_the_reference_has_every_public_name(package: str, pages: Pages) -> None:
    anchors = {anchor for name, page in pages.items() if name.startswith("reference/") for anchor in page.ids}
    names = {f"{package}.{name}" for name in importlib.import_module(package).__all__}
    assert not names - anchors


def test_docstrings_are_shown_as_text_and_code(site: Path) -> None:
    page = (site / "reference" / "bended-module.html").read_text(encoding="utf-8")
    assert "&gt;&gt;&gt; " in page or "gp" in page  # prompts of examples, in blocks of code
    assert not re.search(r":(func|class|meth|mod):", page)
    assert "<blockquote>" not in page


def test_sounds_of_the_gallery_are_bent(site: Path) -> None:
    sounds = {}
    for file in sorted((site / "sounds").glob("*.flac")):
        samples, rate = soundfile.read(file)
        sounds[file.stem] = samples
        assert rate == 44100, file
        assert 5.5 < len(samples) / rate < 13, file
        assert np.sqrt(np.mean(samples**2)) > 10 ** (-50 / 20), f"{file}: hardly to be heard"
        assert np.abs(samples).max() < 0.999, f"{file}: clipped"
        assert file.with_suffix(".png").stat().st_size > 1000
    assert {"violin", "saxophone"} < set(sounds)
    assert len(sounds) >= 8
    plain = sounds.pop("saxophone")
    for name, samples in sounds.items():
        length = min(len(samples), len(plain))
        change = np.sqrt(np.mean((samples[:length] - plain[:length]) ** 2) / np.mean(plain**2))
        assert change > 0.1, f"{name} is the saxophone as it was"


def test_the_page_of_the_gallery_plays_each_sound_behind_its_code(site: Path) -> None:
    html = (site / "gallery.html").read_text(encoding="utf-8")
    written = re.findall(r"write_audio\(\"(\w+)\.wav\"", (ROOT / "docs" / "gallery.md").read_text("utf-8"))
    assert re.findall(r'<audio [^>]*src="sounds/(\w+)\.flac"', html) == written
    for name in written:
        assert f'src="sounds/{name}.png" alt="Spectrogram of the sound {name.replace("_", " ")}: ' in html


@pytest.mark.parametrize("name", concept_figures.FIGURES)
def test_figures_are_the_tools(name: str, site: Path) -> None:
    drawn = concept_figures.FIGURES[name]()
    written = (concept_figures.FOLDER / name).read_text(encoding="utf-8")
    assert written == drawn, "run: python tools/concept_figures.py"
    assert drawn.splitlines()[-2] in (site / "concepts.html").read_text(encoding="utf-8")
