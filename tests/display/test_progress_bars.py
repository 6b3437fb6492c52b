"""Bars: none where nobody looks; in a notebook an element of HTML that goes away at the end."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from torchbend.display import notebook_bar, progress
from torchbend.display.notebook_bar import bar_html, notebook_display
from torchbend.display.progress import counting_bytes, tracked


class Screen:
    """What a notebook would show: every drawing, in turn; it stands for ``IPython.display``."""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def HTML(self, text: str) -> str:
        """The text itself."""
        return text

    def display(self, text: str, display_id: bool) -> Any:
        """Draw, and give a handle to draw again."""
        self.drawn.append(text)
        return types.SimpleNamespace(update=self.drawn.append)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A notebook in which every step is drawn."""
    made = Screen()
    monkeypatch.setattr(progress, "notebook_display", lambda: made)
    monkeypatch.setattr(notebook_bar, "_EVERY", 0.0)
    return made


def test_a_notebook_shows_a_bar_and_takes_it_away(screen: Screen) -> None:
    assert list(tracked("abc", "letters <b>", progress=True)) == ["a", "b", "c"]
    assert screen.drawn[0].startswith('<label>letters &lt;b&gt; <progress value="0" max="3">')
    assert "3 of 3" in screen.drawn[-2] and screen.drawn[-1] == ""


def test_short_work_shows_none(screen: Screen) -> None:
    assert list(tracked(range(3), "numbers")) == [0, 1, 2]
    assert not screen.drawn


def test_long_work_does(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PATIENCE", -1.0)
    assert list(tracked(iter([1, 2]), "numbers")) == [1, 2]
    assert "<progress></progress> 0<" in screen.drawn[0] and "2<" in screen.drawn[-2]


def test_bytes_are_counted_from_where_they_begin(screen: Screen) -> None:
    with counting_bytes("birds", 4_000_000, 1_000_000) as advance:
        advance(2_000_000)
    assert [text[-22:] for text in screen.drawn[:2]] == [" 1.0 of 4.0 MB</label>", " 3.0 of 4.0 MB</label>"]


def test_an_error_takes_the_bar_away_too(screen: Screen) -> None:
    with pytest.raises(ZeroDivisionError), counting_bytes("birds", 4):
        raise ZeroDivisionError
    assert screen.drawn[-1] == ""


def test_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(tracked([1], "numbers")) == [1]
    with counting_bytes("birds", 4) as advance:
        advance(4)
    assert capfd.readouterr() == ("", "")


def test_a_notebook_is_one_with_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    assert notebook_display() is None
    for shell in (None, types.SimpleNamespace(), types.SimpleNamespace(kernel=None)):
        fake = types.SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", fake)
        assert notebook_display() is None
    monkeypatch.undo()
    IPython = pytest.importorskip("IPython")
    monkeypatch.setattr(IPython, "get_ipython", lambda: types.SimpleNamespace(kernel=object()))
    assert notebook_display() is sys.modules["IPython.display"]


def test_the_share_is_told() -> None:
    assert bar_html("x", 1, 2) == '<label>x <progress value="1" max="2"></progress> 1 of 2</label>'
