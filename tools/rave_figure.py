"""Draw docs/figures/rave_architecture.svg: what a RAVE model does with sound, with the shapes of v2.

Usage: python tools/rave_figure.py

Boxes bring their own ground, and everything outside of them is a middle grey: readable on white and on black.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.sax.saxutils import escape

FIGURE = Path(__file__).resolve().parents[1] / "docs" / "figures" / "rave_architecture.svg"
WIDTH, HEIGHT = 1000, 330
BOX_WIDTH, BOX_HEIGHT, TOP = 112, 76, 96
GREY, INK = "#7d8590", "#10141a"
SOUND, FIXED, LEARNT, LATENT, LISTENER = "#d5d9de", "#f2d59b", "#a9c9ee", "#b9dfb5", "#ecb6c0"

CHAIN: tuple[tuple[tuple[str, ...], str], ...] = (
    (("audio",), SOUND),
    (("PQMF", "16 bands"), FIXED),
    (("encoder", "convolutions,", "ratios 4 4 4 2"), LEARNT),
    (("bottleneck", "means", "(and scales)"), LATENT),
    (("generator", "transposed", "convolutions"), LEARNT),
    (("PQMF", "inverse"), FIXED),
    (("audio",), SOUND),
)
"""The way of the signal: what stands in each box, and its colour."""

SHAPES = ("[1, T]", "[16, T/16]", "[256, T/2048]", "[128, T/2048]", "[16, T/16]", "[1, T]")
"""The shapes between the boxes, of v2."""

METHODS = (("encode", 1, 2), ("decode", 4, 5))
"""Methods of the model, with the first and the last box that belong to them."""


def text(x: float, y: float, words: str, size: int = 13, colour: str = INK, weight: str = "normal") -> str:
    """A centred line."""
    style = f'font-size="{size}" fill="{colour}" font-weight="{weight}"'
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle" {style}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, lines: tuple[str, ...], colour: str) -> str:
    """A box with a name and lines below it."""
    parts = [
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="7" fill="{colour}" '
        f'stroke="{GREY}"/>'
    ]
    first = y + height / 2 + 5 - 8 * (len(lines) - 1)
    for number, line in enumerate(lines):
        size, weight = (15, "bold") if number == 0 else (12, "normal")
        parts.append(text(x + width / 2, first + 17 * number, line, size, weight=weight))
    return "\n".join(parts)


def arrow(*points: tuple[float, float], dashed: bool = False) -> str:
    """A line along points, with a head at its end."""
    path = " ".join(f"{'L' if number else 'M'}{x:g},{y:g}" for number, (x, y) in enumerate(points))
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<path d="{path}" fill="none" stroke="{GREY}" stroke-width="1.6"{dashes} marker-end="url(#head)"/>'
    )


def figure() -> str:
    """The whole picture."""
    step = (WIDTH - 20 - BOX_WIDTH) / (len(CHAIN) - 1)
    lefts = [10 + step * number for number in range(len(CHAIN))]
    middle = TOP + BOX_HEIGHT / 2
    parts = []
    for left, shape in zip(lefts, SHAPES, strict=False):
        parts.append(arrow((left + BOX_WIDTH, middle), (left + step - 2, middle)))
        parts.append(text(left + (BOX_WIDTH + step) / 2, TOP - 9, shape, 11, GREY))
    for left, (lines, colour) in zip(lefts, CHAIN, strict=True):
        parts.append(box(left, TOP, BOX_WIDTH, BOX_HEIGHT, lines, colour))
    for name, first, last in METHODS:
        parts += _brace(lefts[first], lefts[last] + BOX_WIDTH, name)
    parts += _listener(lefts)
    return _document(parts)


def _brace(left: float, right: float, name: str) -> list[str]:
    y = 52
    path = f"M{left:g},{y + 10} V{y} H{right:g} V{y + 10}"
    line = f'<path d="{path}" fill="none" stroke="{GREY}" stroke-width="1.6"/>'
    return [line, text((left + right) / 2, y - 10, f"{name}()", 14, GREY, "bold")]


def _listener(lefts: list[float]) -> list[str]:
    y, half, width = 236, BOX_WIDTH / 2, 320.0
    left = WIDTH / 2 - width / 2
    below, level = TOP + BOX_HEIGHT, y + BOX_HEIGHT / 2
    lines = ("discriminator, spectral distance", "compare both sounds while the model is trained;")
    return [
        arrow((lefts[0] + half, below), (lefts[0] + half, level), (left - 2, level), dashed=True),
        arrow((lefts[-1] + half, below), (lefts[-1] + half, level), (left + width + 2, level), dashed=True),
        box(left, y, width, BOX_HEIGHT, (*lines, "playing does not need them"), LISTENER),
    ]


def _document(parts: list[str]) -> str:
    title = (
        "RAVE: audio, filter bank, encoder, bottleneck, generator, filter bank, audio; discriminator beside"
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="Helvetica, Arial, sans-serif" role="img">\n<title>{title}</title>\n'
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0,0 L10,5 L0,10 z" fill="{GREY}"/></marker></defs>'
    )
    return "\n".join([head, *parts, "</svg>", ""])


def main() -> int:
    """Write the figure."""
    FIGURE.parent.mkdir(exist_ok=True)
    FIGURE.write_text(figure(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
