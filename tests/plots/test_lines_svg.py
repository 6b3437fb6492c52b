"""Curves as inline SVG: what is drawn, where it stands, and that each picture says what it is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from torchbend.errors import TorchbendError
from torchbend.plots.lines import Line, Panel, look
from torchbend.plots.lines_svg import lines_svg, ticks

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def points(root: ElementTree.Element, number: int) -> list[tuple[float, float]]:
    """Of the last stroke of a line, its legend apart."""
    strokes = [
        g.findall(f"{SVG}path")[-1].get("d", "")
        for g in root.iter(f"{SVG}g")
        if g.get("class") == f"l{number}"
    ]
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", strokes[-1])]


def test_values_stand_where_the_axes_say() -> None:
    x = np.array([0.0, 1.0, 2.0, 4.0])
    root = parsed(lines_svg([Panel("t", "seconds", "value", [Line("a", x, 3 * x)])], "a line", height=100))
    drawn = points(root, 0)
    across = np.polyfit(x, [p[0] for p in drawn], 1)
    up = np.polyfit(3 * x, [p[1] for p in drawn], 1)
    assert across[0] > 0 > up[0]
    for label in root.iter(f"{SVG}text"):
        if label.get("text-anchor") == "middle" and label.get("x") and (label.text or "").isdigit():
            assert float(label.get("x", "")) == pytest.approx(
                np.polyval(across, float(label.text or "")), abs=0.2
            )
        if label.get("text-anchor") == "end":
            wanted = np.polyval(up, float(label.text or "")) + 4
            assert float(label.get("y", "")) == pytest.approx(wanted, abs=0.2)


def test_a_value_that_is_not_finite_leaves_a_gap() -> None:
    y = np.array([0.0, 1.0, np.nan, 1.0, 0.0])
    svg = lines_svg([Panel("t", "x", "y", [Line("a", np.arange(5.0), y)])], "gap")
    (stroke,) = re.findall(r'd="(M[^"]*L[^"]*)"', svg)
    assert stroke.count("M") == 2 and stroke.count("L") == 2


def test_lines_may_turn_back_and_have_rough_ones_behind() -> None:
    turn = np.linspace(0, 2 * np.pi, 50)
    circle = Line(
        "circle", np.cos(turn), np.sin(turn), behind=(3 * np.cos(turn), 3 * np.sin(turn)), dots=True
    )
    root = parsed(lines_svg([Panel("map", "x", "y", [circle])], "a map"))
    assert len(points(root, 0)) == 50
    (faint,) = [p for p in root.iter(f"{SVG}path") if p.get("class") == "faint"]
    numbers = [float(v) for v in re.findall(r"[\d.]+", faint.get("d", ""))]
    view = [float(v) for v in root.get("viewBox", "").split()]
    assert min(numbers) >= 0 and max(numbers[::2]) <= view[2] and max(numbers[1::2]) <= view[3]
    assert len(list(root.iter(f"{SVG}circle"))) == 50


def test_names_share_their_colour_in_light_and_dark_and_are_escaped() -> None:
    x = np.arange(3.0)
    panels = [
        Panel("<one>", "x", "y", [Line("a & b", x, x)]),
        Panel("two", "x", "y", [Line("c", x, x), Line("a & b", x, -x)]),
    ]
    svg = lines_svg(panels, 'says "this"')
    root = parsed(svg)
    assert root.get("role") == "img" and root.get("aria-label") == 'says "this"'
    assert {g.get("class") for g in root.iter(f"{SVG}g") if g.get("class")} == {"l0", "l1"}
    for dark in (False, True):
        assert f".lines .l1 path{{stroke:{look(dark).of(1)[0]}}}" in svg
    assert "prefers-color-scheme:dark" in svg and "&lt;one&gt;" in svg


@pytest.mark.parametrize("ends", [(0.0, 1.0), (-36.0, 24.0), (1e-6, 3e-6), (-5e4, 7e5), (0.2, 0.3)])
def test_ticks_are_round_evenly_spaced_and_inside(ends: tuple[float, float]) -> None:
    found = ticks(*ends)
    steps = np.diff(found)
    assert 2 <= len(found) <= 7 and np.allclose(steps, steps[0])
    assert ends[0] - 1e-12 <= found[0] and found[-1] <= ends[1] + 1e-12
    assert f"{steps[0]:.0e}"[0] in "125"


def test_nothing_to_draw_is_told() -> None:
    with pytest.raises(TorchbendError, match="nothing to draw"):
        lines_svg([Panel("empty", "x", "y")], "none")
    flat = Panel("flat", "x", "y", [Line("a", np.zeros(1), np.zeros(1))])
    assert "NaN" not in lines_svg([flat], "one point") and "nan" not in lines_svg([flat], "one point")
