"""Panels of lines as inline SVG: no library is needed, and the colours follow the page's light or dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TypeAlias

import numpy as np

from torchbend.errors import TorchbendError
from torchbend.plots.lines import Panel, look, names_in_order, thinned

__all__ = ["lines_svg", "ticks"]

_WIDTH, _HEIGHT = 840, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 46, 40
_LETTER = 7.2
"""Width of a letter in the legend, on average."""

_Scale: TypeAlias = Callable[[float], float]

_DASHES = {"solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "8 3 2 3"}


def lines_svg(panels: Sequence[Panel], label: str, height: int = _HEIGHT) -> str:
    """Panels below one another, each with its title, its legend and its axes.

    Lines of one name look alike in all panels. They may turn back: each is drawn in the order of its points.

    Args:
        panels: at least one with a line; all axes are linear.
        label: what a screen reader says in the picture's place.
        height: of the axes of each panel, in pixels, 40 or more.

    Returns:
        An ``<svg>`` element as wide as its place, with its own style.

    Raises:
        TorchbendError: there is nothing to draw, or no room.
    """
    if not any(panel.lines for panel in panels) or height < 40:
        raise TorchbendError(
            "there is nothing to draw, or no room",
            site="lines_svg",
            wanted="a line at least, and height >= 40",
            got=f"{sum(len(panel.lines) for panel in panels)} lines, height={height}",
        )
    names = names_in_order(panels)
    each = _TOP + height + _BOTTOM
    body = "".join(
        f'<g transform="translate(0 {number * each})">{_panel(panel, names, height)}</g>'
        for number, panel in enumerate(panels)
    )
    return (
        f'<svg class="lines" viewBox="0 0 {_WIDTH} {each * len(panels)}" role="img" '
        f'aria-label="{escape(label, quote=True)}"><style>{_style(len(names))}</style>{body}</svg>'
    )


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most so many.

    >>> ticks(0.0, 4.9)
    [0.0, 1.0, 2.0, 3.0, 4.0]
    >>> ticks(-12.0, 13.0)
    [-10.0, -5.0, 0.0, 5.0, 10.0]
    """
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * k for k in (1, 2, 5, 10, 20) if span / (power * k) <= most - 1)
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    return [round((first + k) * step, 12) + 0.0 for k in range(count)]


def _panel(panel: Panel, names: Sequence[str], height: int) -> str:
    drawn = [(line.x, line.y) for line in panel.lines]
    drawn += [line.behind for line in panel.lines if line.behind is not None]
    x_ends = _ends([x for x, _ in drawn], margin=0.0)
    y_ends = _ends([y for _, y in drawn], margin=0.06)
    right, bottom = _WIDTH - _RIGHT, _TOP + height

    def across(x: float) -> float:
        return _LEFT + (x - x_ends[0]) / (x_ends[1] - x_ends[0]) * (right - _LEFT)

    def up(y: float) -> float:
        return bottom - (y - y_ends[0]) / (y_ends[1] - y_ends[0]) * height

    parts = [f'<text class="title" x="{_LEFT}" y="18">{escape(panel.title)}</text>', _legend(panel, names)]
    for y in ticks(*y_ends):
        parts.append(f'<path class="grid" d="M{_LEFT} {up(y):.1f}H{right}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{up(y) + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in ticks(*x_ends, most=9):
        parts.append(f'<text x="{across(x):.1f}" y="{bottom + 16}" text-anchor="middle">{x:g}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT} {bottom}H{right}"/>')
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text x="{middle:g}" y="{bottom + 32}" text-anchor="middle">{escape(panel.x_label)}</text>'
    )
    turned = f'transform="translate(13 {_TOP + height / 2:g}) rotate(-90)" text-anchor="middle"'
    parts.append(f"<text {turned}>{escape(panel.y_label)}</text>")
    for line in panel.lines:
        shape = _path(line.x, line.y, across, up)
        behind = "" if line.behind is None else f'<path class="faint" d="{_path(*line.behind, across, up)}"/>'
        dots = zip(*thinned(line.x, line.y), strict=True) if line.dots else ()
        points = "".join(
            f'<circle cx="{across(float(a)):.1f}" cy="{up(float(b)):.1f}" r="2.2"/>'
            for a, b in dots
            if math.isfinite(a) and math.isfinite(b)
        )
        marks = "".join(
            f'<circle cx="{across(mark):.1f}" cy="{up(line.at(mark)):.1f}" r="4"/>' for mark in line.marks
        )
        number = names.index(line.name)
        parts.append(f'<g class="l{number}">{behind}<path{_dash(number)} d="{shape}"/>{points}{marks}</g>')
    return "".join(parts)


def _ends(values: Sequence[np.ndarray], margin: float) -> tuple[float, float]:
    """The ends of an axis: never one and the same."""
    flat = np.concatenate([each[np.isfinite(each)] for each in values] or [np.zeros(0)])
    low, high = (float(flat.min()), float(flat.max())) if len(flat) else (0.0, 1.0)
    room = (high - low) * margin if high > low else max(abs(high), 1.0) * 0.5
    return low - room, high + room


def _path(x: np.ndarray, y: np.ndarray, across: _Scale, up: _Scale) -> str:
    """Strokes from point to point; a value that is not finite leaves a gap."""
    words, pen = [], "M"
    for a, b in zip(*thinned(x, y), strict=True):
        if not (math.isfinite(a) and math.isfinite(b)):
            pen = "M"
            continue
        words.append(f"{pen}{across(float(a)):.1f} {up(float(b)):.1f}")
        pen = "L"
    return "".join(words)


def _legend(panel: Panel, names: Sequence[str]) -> str:
    """A piece of each line with its name, in one row below the title."""
    parts, left = [], float(_LEFT)
    for line in panel.lines:
        number = names.index(line.name)
        parts.append(
            f'<g class="l{number}"><path{_dash(number)} d="M{left:.0f} 32h22"/></g>'
            f'<text x="{left + 28:.0f}" y="36">{escape(line.name)}</text>'
        )
        left += 28 + _LETTER * len(line.name) + 20
    return "".join(parts)


def _dash(number: int) -> str:
    dash = _DASHES[look().of(number)[1]]
    return f' stroke-dasharray="{dash}"' if dash else ""


def _style(count: int) -> str:
    """Colours for light and for dark; they hold in all such pictures of a page."""
    base = (
        ".lines{display:block;width:100%;min-width:40rem;height:auto}.lines path{fill:none}"
        ".lines text{font:12px system-ui,sans-serif;fill:#5d6475}"
        ".lines .title{font-weight:600;font-size:14px;fill:#1d2130}"
        ".lines .grid{stroke:#e4e4e4}.lines .axis{stroke:#9a9fac}"
        ".lines g[class] path{stroke-width:1.8;stroke-linejoin:round}.lines .faint{opacity:.3}"
    )
    dark = (
        ".lines text{fill:#9ea5b5}.lines .title{fill:#e8e6df}.lines .grid{stroke:#2b303e}"
        ".lines .axis{stroke:#5d6475}"
    )
    return (
        f"{base}{_colours(count, False)}@media (prefers-color-scheme:dark){{{dark}{_colours(count, True)}}}"
    )


def _colours(count: int, dark: bool) -> str:
    shades = look(dark)
    return "".join(
        f".lines .l{number} path{{stroke:{shades.of(number)[0]}}}"
        f".lines .l{number} circle{{fill:{shades.of(number)[0]}}}"
        for number in range(count)
    )
