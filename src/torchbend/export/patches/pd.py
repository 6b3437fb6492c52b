"""A patch as a file of Pure Data.

One record for each box, ended by a semicolon: ``#X obj``, ``#X msg``, ``#X text``, ``#X floatatom``; a patch
inside stands between ``#N canvas`` and ``#X restore``. ``#X connect`` counts the boxes of its own canvas.
"""

from __future__ import annotations

from torchbend.export.patches.graph import Box, Patch

__all__ = ["as_pd", "escaped"]

_NAMES = "empty empty empty"
_COLOURS = "-262144 -1 -1"


def as_pd(patch: Patch) -> str:
    """The text of a ``.pd`` file."""
    width, height = patch.size
    return f"#N canvas 60 60 {width} {height} 12;\n{_content(patch)}"


def escaped(text: str) -> str:
    """A text with spaces between its words, as Pure Data writes it in a file."""
    for special in ("\\", ";", ",", "$"):
        text = text.replace(special, f"\\{special}")
    return text.replace("\\,", " \\,")


def _content(patch: Patch) -> str:
    boxes = "".join(_record(box) for box in patch.boxes)
    return boxes + "".join(
        f"#X connect {cord.source} {cord.outlet} {cord.target} {cord.inlet};\n" for cord in patch.cords
    )


def _record(box: Box) -> str:
    at = f"{box.x} {box.y}"
    low, high = (0.0 if end is None else end for end in (box.low, box.high))
    if box.kind == "patch" and box.inside is not None:
        width, height = box.inside.size
        name = escaped(box.text)
        inside = _content(box.inside)
        return f"#N canvas 120 120 {width} {height} {name} 0;\n{inside}#X restore {at} pd {name};\n"
    if box.kind == "object":
        return f"#X obj {at} {_spaced(box.text)};\n"
    if box.kind == "message":
        return f"#X msg {at} {escaped(box.text)};\n"
    if box.kind == "comment":
        return f"#X text {at} {escaped(box.text)};\n"
    if box.kind == "number":
        both = box.low is not None and box.high is not None
        ends = f"{low:g} {high:g}" if both else "0 0"
        return f"#X floatatom {at} 8 {ends} 0 - - - 0;\n"
    if box.kind == "slider":
        return f"#X obj {at} hsl 128 15 {low:g} {high:g} 0 0 {_NAMES} -2 -8 0 10 {_COLOURS} 0 1;\n"
    if box.kind == "toggle":
        return f"#X obj {at} tgl 15 0 {_NAMES} 17 7 0 10 {_COLOURS} 0 1;\n"
    return f"#X obj {at} bng 15 250 50 0 {_NAMES} 17 7 0 10 {_COLOURS};\n"


def _spaced(text: str) -> str:
    """Escaped; a space that belongs to a name is written as one that does not break."""
    return escaped(text).replace(" \\,", "\\,").replace("\u00a0", "\\ ")
