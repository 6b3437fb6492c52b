"""Draw docs/figures/concept_*.svg: a capture, a bent call, an export.

Usage: python tools/concept_figures.py

Boxes bring their own ground. Text outside of them has a class, and is dark on light and light on dark: by
the browser's preference in a picture, by the page's colours where the site puts the drawing into the page.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "figures"
INK, DARK = "#10141a", "#46505e"
MODEL, SOUND, BEND, KEPT, NOTE = "#a9c9ee", "#d5d9de", "#f2d59b", "#b9dfb5", "#ecb6c0"
CODE = 'font-size="14" font-family="ui-monospace, Menlo, DejaVu Sans Mono, monospace" xml:space="preserve"'
STYLE = (
    "<style>.tb-ink{fill:#1d2130}.tb-soft{fill:#55606f}.tb-line{stroke:#6b7684}.tb-head{fill:#6b7684}"
    "@media (prefers-color-scheme:dark){.tb-ink{fill:#e8e6df}.tb-soft{fill:#aab2c0}"
    ".tb-line{stroke:#98a1b0}.tb-head{fill:#98a1b0}}</style>"
)


def words(
    x: float, y: float, text: str, size: int = 14, kind: str = "tb-soft", anchor: str = "middle"
) -> str:
    """A line of text outside of boxes."""
    weight = ' font-weight="bold"' if kind == "tb-ink" else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" class="{kind}"{weight}>'
        f"{escape(text)}</text>"
    )


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    lines: tuple[str, ...],
    colour: str,
    mono: bool = False,
    dashed: bool = False,
) -> str:
    """A box with lines of text: a bold one and others below it, or all of one width as in code."""
    dashes = ' stroke-dasharray="6 4"' if dashed else ""
    parts = [
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8" fill="{colour}" '
        f'class="tb-line"{dashes}/>'
    ]
    step = 21 if mono else 18
    first = y + height / 2 + 5 - step / 2 * (len(lines) - 1)
    for number, line in enumerate(lines):
        place = f'x="{x + 14:g}"' if mono else f'x="{x + width / 2:g}" text-anchor="middle"'
        size, weight = (15, "bold") if number == 0 else (13, "normal")
        look = f'font-size="{size}" font-weight="{weight}"' if not mono else CODE
        parts.append(f'<text {place} y="{first + step * number:g}" fill="{INK}" {look}>{escape(line)}</text>')
    return "\n".join(parts)


def arrow(*points: tuple[float, float], dashed: bool = False, inside: bool = False, head: bool = True) -> str:
    """A line along points, with a head at its end; ``inside`` of a box it is dark on every ground."""
    path = " ".join(f"{'L' if number else 'M'}{x:g},{y:g}" for number, (x, y) in enumerate(points))
    look = f'stroke="{DARK}"' if inside else 'class="tb-line"'
    look += ' stroke-dasharray="5 4"' if dashed else ""
    look += f' marker-end="url(#tb-tip{"-in" if inside else ""})"' if head else ""
    return f'<path d="{path}" fill="none" stroke-width="1.8" {look}/>'


def document(title: str, width: int, height: int, parts: list[str]) -> str:
    """The drawing as a file."""
    tips = "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0,0 L10,5 L0,10 z" {look}/></marker>'
        for name, look in (("tb-tip", 'class="tb-head"'), ("tb-tip-in", f'fill="{DARK}"'))
    )
    tip = f"<defs>{tips}</defs>"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="Helvetica, Arial, sans-serif" role="img">'
    )
    return "\n".join([head, f"<title>{escape(title)}</title>", STYLE, tip, *parts, "</svg>"]) + "\n"


def capture() -> str:
    """The model's code runs once; what it calls becomes names."""
    code = (
        "def forward(self, x):",
        "  y = self.conv(x)",
        "  for k in range(2):",
        "    y = y + roll(y, 2)",
        "  return tanh(y)",
    )
    nodes = ("x", "conv", "roll", "add", "roll_1", "add_1", "tanh")
    parts = [
        words(150, 30, "the model's own code", kind="tb-ink"),
        box(10, 50, 280, 150, code, MODEL, mono=True),
        words(150, 226, "runs once, for real,"),
        words(150, 245, "with an input that you give"),
        arrow((294, 125), (392, 125)),
        words(343, 108, "each call"),
        words(343, 150, "is noted"),
        words(590, 30, "the graph: every value gets a name", kind="tb-ink"),
    ]
    for number, name in enumerate(nodes):
        left, top = 400 + 100 * (number % 4), 50 + 80 * (number // 4)
        parts.append(box(left, top, 82, 44, (name,), SOUND if number == 0 else BEND))
        if number % 4:
            parts.append(arrow((left - 18, top + 22), (left - 2, top + 22)))
    parts += [
        arrow((741, 94), (741, 112), (441, 112), (441, 128)),
        box(
            400, 196, 382, 54, ("flow steps", "loop: range(2) · what Python decided, beside the graph"), NOTE
        ),
    ]
    return document("A capture: code runs once, each call becomes a named node of a graph", 800, 262, parts)


def bent_call() -> str:
    """A call of a bent model."""
    parts = [
        words(400, 26, "during a call of the bent model", kind="tb-ink"),
        box(10, 176, 90, 56, ("input",), SOUND),
        box(150, 150, 480, 108, (), MODEL),
        words(390, 280, "the model's own code, any length, any branch"),
        box(700, 176, 90, 56, ("output",), SOUND),
        arrow((100, 204), (150, 204), head=False),
        arrow((150, 204), (170, 204), inside=True),
    ]
    for number, name in enumerate(("layer 1", "layer 2", "layer 3")):
        parts.append(box(172 + 156 * number, 176, 92, 56, (name,), "#ffffff"))
    parts += [
        arrow((264, 204), (326, 204), inside=True),
        arrow((420, 204), (436, 204), inside=True),
        box(438, 184, 22, 40, ("f",), BEND),
        arrow((460, 204), (482, 204), inside=True),
        arrow((576, 204), (630, 204), inside=True, head=False),
        arrow((630, 204), (698, 204)),
        box(30, 54, 130, 56, ("weight", "as it was trained"), KEPT),
        arrow((160, 82), (196, 82)),
        box(198, 60, 22, 44, ("g",), BEND),
        arrow((220, 82), (252, 82)),
        box(254, 54, 130, 56, ("bent weight", "computed once"), BEND),
        arrow((319, 110), (319, 140), (218, 140), (218, 150), dashed=True, head=False),
        arrow((218, 150), (218, 174), dashed=True, inside=True),
        words(330, 136, "swapped in", anchor="start"),
        box(560, 54, 150, 56, ("control", "turned meanwhile"), NOTE),
        arrow((560, 82), (449, 82), (449, 150), dashed=True, head=False),
        arrow((449, 150), (449, 182), dashed=True, inside=True),
        words(400, 316, "f, g: callbacks. After the call, also after an error, the model is what it was."),
    ]
    return document(
        "A bent call: a weight is swapped in, an activation passes through a callback", 800, 330, parts
    )


def export() -> str:
    """From a bent model to a host program."""
    parts = [
        box(
            10,
            40,
            150,
            200,
            ("bent model", "weights", "activations", "controls", "latents", "a stream's state"),
            MODEL,
        ),
        arrow((160, 140), (226, 140)),
        words(193, 126, "export"),
        box(228, 40, 240, 200, (), "#ffffff"),
        words(348, 30, "one file", kind="tb-ink"),
        box(242, 54, 212, 50, ("methods", "encode · decode · forward"), BEND),
        box(242, 115, 212, 50, ("attributes", "each control, with its range"), NOTE),
        box(242, 176, 212, 50, ("buffers", "weights, and what a stream keeps"), KEPT),
        arrow((468, 140), (522, 140)),
        box(524, 90, 100, 100, ("check", "every block", "= live", "in time?"), KEPT),
    ]
    hosts = (("nn~", "Max, Pure Data"), ("ONNX", "other programs"), ("pt2", "torch.export"))
    for number, lines in enumerate(hosts):
        top = 40 + 72 * number
        parts += [
            arrow((624, 140), (650, 140), (650, top + 28), (676, top + 28)),
            box(678, top, 112, 56, lines, SOUND),
        ]
    return document(
        "An export: methods, controls and state in one file, checked, then played", 800, 256, parts
    )


FIGURES = {"concept_capture.svg": capture, "concept_bent_call.svg": bent_call, "concept_export.svg": export}
"""What draws each file."""


def main() -> int:
    """Write the drawings."""
    for name, draw in FIGURES.items():
        (FOLDER / name).write_text(draw(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
