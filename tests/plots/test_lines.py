"""Figures of lines: ten are told apart, what is shared is drawn once, and no screen is needed."""

from __future__ import annotations

import numpy as np
import pytest

from torchbend.errors import TorchbendError
from torchbend.plots.lines import Line, Panel, look, names_in_order, thinned
from torchbend.plots.lines_figure import draw_lines, in_short, picture_bytes
from torchbend.plots.lines_page import lines_page


def a_panel(count: int, marks: bool = True, log_y: bool = True) -> Panel:
    """Lines that fall; each is marked at another place."""
    x = np.linspace(0, 100, 50)
    lines = [
        Line(f"run <{k}>", x, 2 + k + 9 * np.exp(-x / 20), (10.0 * k + 5,) if marks else ())
        for k in range(count)
    ]
    return Panel("Distance", "steps", "distance", lines, "phase 2 begins", log_y)


@pytest.mark.parametrize("dark", [False, True])
def test_twenty_lines_have_twenty_looks(dark: bool) -> None:
    shades = look(dark)
    assert len({shades.of(k) for k in range(20)}) == 20
    assert len({shades.of(k)[0] for k in range(5)}) == 5


@pytest.mark.parametrize("dark", [False, True])
def test_lines_stand_out_from_their_ground(dark: bool) -> None:
    shades = look(dark)

    def light(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in (*shades.colours, shades.ink, shades.soft):
        low, high = sorted((light(colour), light(shades.paper)))
        assert (high + 0.05) / (low + 0.05) > 2.5, colour


def test_ten_lines_in_a_picture() -> None:
    figure = draw_lines([a_panel(10), a_panel(10, log_y=False)], "Ten")
    above, below = figure.axes
    assert above.get_yscale() == "log" and below.get_yscale() == "linear"
    assert above.get_xlim() == below.get_xlim()
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == [*(f"{k + 1}  run <{k}>" for k in range(10)), "phase 2 begins"]
    assert sorted(int(text.get_text()) for text in above.texts) == list(range(1, 11))
    assert picture_bytes(figure, "png").startswith(b"\x89PNG") and b"<svg" in picture_bytes(figure, "svg")


def test_numbers_at_ends_are_apart() -> None:
    x = np.arange(3.0)
    lines = [Line(str(k), x, np.full(3, 5 + k / 1000)) for k in range(8)]
    axes = draw_lines([Panel("", "", "", [*lines, Line("far", x, np.full(3, 9.0))])]).axes[0]
    heights = sorted(text.xyann[1] for text in axes.texts if text.get_text() != "9")  # type: ignore[attr-defined]
    assert min(np.diff(heights)) > 8


def test_a_mark_that_all_share_is_one_line() -> None:
    x = np.arange(10.0)
    figure = draw_lines([Panel("", "", "", [Line(n, x, x, (4.0,)) for n in "ab"], "here")])
    assert [text.get_text() for text in figure.axes[0].texts] == ["here"]
    assert len(figure.legends[0].get_texts()) == 2


def test_one_line_needs_no_legend_and_one_point_is_seen() -> None:
    figure = draw_lines([Panel("", "", "", [Line("a", np.ones(1), np.ones(1))])])
    assert not figure.legends and figure.axes[0].lines[0].get_marker() == "o"


def test_a_page_needs_nothing_from_elsewhere_and_runs_no_names() -> None:
    page = lines_page([a_panel(2), a_panel(2)], "A <title>", dark=True)
    assert "run &lt;1&gt;" in page.replace("\\u003c", "<") or "run \\u0026lt;1\\u0026gt;" in page
    assert "<title>A &lt;title&gt;</title>" in page and 'src="http' not in page
    assert look(True).paper in page and page.count('"name":"phase 2 begins"') == 1


def test_thinned_lines_keep_their_peaks_and_ends() -> None:
    rng = np.random.default_rng(0)
    x, y = np.arange(50_000.0), rng.normal(size=50_000)
    thin_x, thin_y = thinned(x, y, 500)
    assert len(thin_x) <= 500 and (np.diff(thin_x) > 0).all()
    assert (thin_y.min(), thin_y.max(), thin_x[0], thin_x[-1]) == (y.min(), y.max(), 0, 49_999)


def test_nothing_to_draw_is_refused() -> None:
    for draw in (draw_lines, lines_page):
        with pytest.raises(TorchbendError, match="nothing to draw"):
            draw([Panel("", "", "", [])])
    with pytest.raises(TorchbendError, match="no line"):
        Line("a", np.zeros(2), np.zeros(3))


def test_names_and_numbers() -> None:
    assert names_in_order([a_panel(2), a_panel(3)]) == ["run <0>", "run <1>", "run <2>"]
    assert [in_short(v) for v in (0, 1e-3, 999, 1000, 1.25e6)] == ["0", "0.001", "999", "1k", "1.25M"]
