"""Each figure appears exactly once in its cell, whatever the cell does with it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import plotly.io
import pytest

import dandb
from dandb.figures import cell, figure

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

CELLS = {
    "loop": "for i in range(2):\n    plot_audio(x, name=f'sound {i}')\nprint('after')",
    "last line": "plot_latent_trajs(z)",
    "at once": "for i in range(2):\n    plot_1d_activation('a', z, display=True, channel_idx=[4, 7])",
    "kept and shown": "plot = plot_1d_activation('a', z)\nplot.show()",
    "at once as the last line": "plot_kernel_grid(z, display=True)",
    "shown and last line": "kept = plot_latent_trajs(z)\nkept.show()\nkept",
    "again in another cell": "kept",
    "shown twice": "kept.show()\nkept.show()",
    "not wanted": "hidden = plot_latent_trajs(z, display=False); 1",
    "not wanted, then asked for": "hidden",
    "in vain": "plot_latent_trajs(z)\nplot_audio(torch.zeros(3, 2, 2))",
    "two": "plot_latent_trajs(z, name='one')\nplot_latent_trajs(z, name='two')",
    "table": "dandb.make_audio_grid([[x, x]], columns=['a', 'b']);",
}
DRAWN = [2, 1, 2, 1, 1, 1, 1, 2, 0, 1, 1, 2, 0]


def outputs_of(one: Any) -> list[dict[str, Any]]:
    return [dict(output["data"]) for output in one.outputs if "data" in output]


@pytest.fixture(scope="module")
def ran() -> dict[str, Any]:
    """A notebook of all cells that ran in a kernel."""
    head = "import sys, torch, dandb\nfrom dandb import *\nx, z = torch.zeros(1, 400), torch.eye(2)\n"
    head += "plot_audio(x, display=False)\nprint({'plotly', 'matplotlib', 'PIL'} & {*sys.modules})"
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in (head, *CELLS.values())]
    nbclient.NotebookClient(notebook, timeout=300, allow_errors=True, kernel_name="python3").execute()
    return dict(zip(("head", *CELLS), notebook.cells, strict=True))


def test_each_figure_is_drawn_exactly_once(ran: dict[str, Any]) -> None:
    mime = "application/vnd.plotly.v1+json"
    drawn = {name: sum(mime in data for data in outputs_of(ran[name])) for name in CELLS}
    assert drawn == dict(zip(CELLS, DRAWN, strict=True))


def test_figures_of_a_cell_appear_in_the_order_in_which_they_were_made(ran: dict[str, Any]) -> None:
    assert [data["text/plain"][:4] for data in outputs_of(ran["two"])] == ["one:", "two:"]


def test_a_figure_that_is_not_drawn_loads_no_heavy_library(ran: dict[str, Any]) -> None:
    assert [output["text"] for output in ran["head"].outputs] == ["set()\n"]


def test_sounds_have_players_and_figures_have_words(ran: dict[str, Any]) -> None:
    loop = outputs_of(ran["loop"])
    assert [list(data) for data in loop] == [
        ["application/vnd.plotly.v1+json", "text/plain"],
        ["text/html", "text/plain"],
    ] * 2
    assert 'aria-label="sound 0"' in loop[1]["text/html"] and "data:audio/wav;base64," in loop[1]["text/html"]
    assert loop[2]["text/plain"].startswith("sound 1: Waveform and spectrogram: 0.009 s, mono")
    (table,) = outputs_of(ran["table"])
    assert table["text/html"].count("<audio") == 2
    assert '<th scope="col" style="text-align:left">b</th>' in table["text/html"]


def test_a_button_draws_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between cells there is no end of a cell to wait for."""
    shown: list[str] = []

    class Kernel:
        kind = "comm_msg"

        def get_parent(self) -> dict[str, Any]:
            return {"header": {"msg_type": self.kind}}

    class Notebook:
        kernel, events = Kernel(), None

    monkeypatch.setattr(figure, "running_shell", lambda: cell.Shell(Notebook()))
    monkeypatch.setattr(figure.Figure, "show", lambda self: shown.append(self.chart.title))
    dandb.plot_latent_trajs([[0.0, 1.0]], name="moved")
    assert shown == ["moved"]


def test_outside_a_notebook_a_page_opens_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(plotly.io.renderers, "default", "browser")
    monkeypatch.setattr(figure.webbrowser, "open", lambda address: bool(opened.append(address)))
    made = dandb.plot_latent_trajs([[0.0, 1.0]])
    assert not opened
    with caplog.at_level(logging.WARNING, "torchbend"):
        made.show()
    path = Path(opened[0].removeprefix("file://"))
    assert path.read_text(encoding="utf-8") == made.html() and path.name in caplog.text
    path.unlink()
    monkeypatch.setattr(plotly.io.renderers, "default", "")
    made.show()
    assert len(opened) == 1 and "save" in caplog.text
