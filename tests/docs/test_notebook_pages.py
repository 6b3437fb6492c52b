"""Notebooks become pages: what cells give is shown, and nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import markdown
import numpy as np
import pytest
import soundfile
from tools import site_cells, site_docstrings, site_markdown, site_notebooks

EXERCISE = (
    "Find it.\n\n<details>\n<summary>Answer</summary>\n\n"
    "```python\nx = 2\n```\n\nIt is **two**.\n\n</details>\n"
)


def notebook(folder: Path, *cells: dict[str, Any], name: str = "sounds.ipynb") -> Path:
    """Writes a notebook."""
    whole = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path = folder / name
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": "t", "metadata": {}, "source": source}


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"c{abs(hash(source))}",
        "metadata": {},
        "source": source,
        "outputs": list(outputs),
    }


def shown(**data: Any) -> dict[str, Any]:
    names = {"html": "text/html", "words": "text/plain", "png": "image/png", "plotly": site_cells._PLOTLY}
    return {
        "output_type": "display_data",
        "metadata": {},
        "data": {names[key]: value for key, value in data.items()},
    }


def printed(words: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": words}


def test_text_code_and_prints_in_their_order(tmp_path: Path) -> None:
    page = site_cells.rendered(
        notebook(
            tmp_path,
            text("# A sound\n\nListen."),
            code("print(1)", printed("1\n"), printed("\x1b[31m2\x1b[0m")),
        )
    )
    assert page.title == "A sound"
    assert (
        page.text.index("Listen.") < page.text.index("```python\nprint(1)\n```") < page.text.index("output-1")
    )
    assert page.outputs["output-1"].count("<pre") == 1
    assert "1\n2</pre>" in page.outputs["output-1"]
    assert page.outputs["output-1"] in page.with_outputs(f"<p>{site_cells._SLOT.format('output-1')}</p>")


def test_a_bar_is_shown_as_it_ended(tmp_path: Path) -> None:
    page = site_cells.rendered(
        notebook(tmp_path, code("go()", printed(" 10 %\r 50 %\r100 %\nready", "stderr")))
    )
    assert "100 %\nready" in page.outputs["output-1"]
    assert "50 %" not in page.outputs["output-1"]


def test_sounds_become_files_without_loss(tmp_path: Path) -> None:
    samples = (np.sin(np.arange(4410) / 10) * 20000).astype(np.int16)
    wav = io.BytesIO()
    soundfile.write(wav, samples, 44100, format="WAV", subtype="PCM_16")
    source = base64.b64encode(wav.getvalue()).decode()
    html = (
        f'<audio aria-label="a tone"><source src="data:audio/wav;base64,{source}" type="audio/wav"/></audio>'
    )
    page = site_cells.rendered(notebook(tmp_path, code("play()", shown(html=html, words="<Audio>"))))
    [(name, content)] = page.files.items()
    assert name == "sounds_files/1.flac"
    assert f'src="{name}"' in page.outputs["output-1"]
    read, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    assert rate == 44100
    assert np.array_equal(read, samples)


def test_pictures_have_words(tmp_path: Path) -> None:
    picture = shown(png=base64.b64encode(b"\x89PNG...").decode(), words="<Figure size 640x480>")
    picture["metadata"] = {"image/png": {"alt": 'a "loud" wave'}}
    page = site_cells.rendered(notebook(tmp_path, code("draw()", picture)))
    assert 'alt="a &quot;loud&quot; wave"' in page.outputs["output-1"]
    assert page.files == {"sounds_files/1.png": b"\x89PNG..."}


def test_figures_are_data_and_words(tmp_path: Path) -> None:
    figure = {"data": [{"y": [1, 2]}], "layout": {"title": {"text": "A <b>curve</b>"}, "height": 300}}
    both = code(
        "plot()", shown(plotly=figure, words="latents: two steps"), shown(plotly=figure, words="Figure({})")
    )
    page = site_cells.rendered(notebook(tmp_path, both))
    html = page.outputs["output-1"]
    assert page.has_figures
    assert html.count('<script type="application/json">') == 2
    assert 'aria-label="latents: two steps"' in html
    assert 'aria-label="A  curve ' in html
    assert "min-height:300px" in html


def test_scripts_of_other_hosts_go_and_others_stay(tmp_path: Path) -> None:
    html = '<script src="https://cdn.example/require.js"></script><script>here()</script><b>x</b>'
    page = site_cells.rendered(notebook(tmp_path, code("show()", shown(html=html))))
    assert "<script>here()</script><b>x</b>" in page.outputs["output-1"]
    assert "example" not in page.outputs["output-1"]


def test_an_answer_is_hidden_and_is_markdown() -> None:
    page = site_markdown.for_site(EXERCISE)
    html = markdown.markdown(page, extensions=["md_in_html", "pymdownx.superfences", "pymdownx.highlight"])
    inside = html.partition("<details>")[2].partition("</details>")[0]
    assert "<summary>Answer</summary>" in inside
    assert "<strong>two</strong>" in inside
    assert 'class="highlight"' in inside
    assert "open" not in html.partition("<summary>")[0].rpartition("<details")[2]


@pytest.mark.parametrize(
    ("page", "site"),
    [
        ("```python raises\nx\n```\n", "```python\nx\n```\n"),
        ("```python file=echo.py\nx\n```\n", '```python title="echo.py"\nx\n```\n'),
        ("[two](../notebooks/two.ipynb)", "[two](../notebooks/two.md)"),
        ("[card](../src/torchbend/shipped/sax.md)", "[card](models/sax.md)"),
        ("Take:\n- one\n- two\n", "Take:\n\n- one\n- two\n"),
        ("```text\nTake:\n- one\n```\n", "```text\nTake:\n- one\n```\n"),
    ],
)
def test_pages_in_the_sites_markdown(page: str, site: str) -> None:
    assert site_markdown.for_site(page) == site


def test_links_of_files_outside_of_the_pages_lead_into_the_site() -> None:
    card = "[own](../../../docs/train-your-own.md#hours) [changes](docs/migrating.md)"
    assert (
        site_markdown.for_site(card, "../") == "[own](../train-your-own.md#hours) [changes](../migrating.md)"
    )
    assert site_markdown.for_site(card) == "[own](train-your-own.md#hours) [changes](migrating.md)"


def test_docstrings_in_the_sites_markdown() -> None:
    told = site_docstrings.as_markdown("Twice ``x``.\n\n    >>> 2 * 2\n    4\n\nSee :func:`~torch.half`.")
    assert told == "Twice `x`.\n\n    ```pycon\n    >>> 2 * 2\n    4\n    ```\n\nSee `torch.half`."


def test_notebooks_run_once_and_failures_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nbmake")
    monkeypatch.setattr(site_notebooks, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(site_notebooks, "EXECUTED", tmp_path / "executed")
    monkeypatch.setenv("PYTHONPATH", "")
    good = notebook(tmp_path, code("6 * 7"), name="good.ipynb")
    bad = notebook(tmp_path, code("1 / 0"), name="bad.ipynb")
    assert site_notebooks.out_of_date(0.0) == [bad, good]
    assert site_notebooks.execute([bad, good], "0") == 1
    outputs = json.loads(site_notebooks.copy_of(good).read_text("utf-8"))["cells"][0]["outputs"]
    assert "".join(outputs[0]["data"]["text/plain"]) == "42"
    assert site_notebooks.out_of_date(0.0) == [bad]
    assert json.loads(good.read_text("utf-8"))["cells"][0]["outputs"] == []
