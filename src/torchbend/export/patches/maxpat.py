"""A patch as a file of Max: JSON with a list of boxes and a list of lines between them."""

from __future__ import annotations

import json
from typing import Any

from torchbend.export.patches.graph import Box, Patch

__all__ = ["as_max"]

_CLASSES = {
    "object": "newobj",
    "patch": "newobj",
    "message": "message",
    "comment": "comment",
    "number": "flonum",
    "toggle": "toggle",
    "bang": "button",
}


def as_max(patch: Patch) -> str:
    """The text of a ``.maxpat`` file."""
    return json.dumps({"patcher": _patcher(patch)}, indent=1) + "\n"


def _patcher(patch: Patch) -> dict[str, Any]:
    width, height = patch.size
    lines = [
        {
            "patchline": {
                "source": [f"obj-{cord.source + 1}", cord.outlet],
                "destination": [f"obj-{cord.target + 1}", cord.inlet],
            }
        }
        for cord in patch.cords
    ]
    return {
        "fileversion": 1,
        "appversion": {"major": 8, "minor": 5, "revision": 0, "architecture": "x64", "modernui": 1},
        "classnamespace": "box",
        "rect": [60.0, 60.0, float(width), float(height)],
        "boxes": [{"box": _box(f"obj-{k + 1}", box)} for k, box in enumerate(patch.boxes)],
        "lines": lines,
    }


def _box(name: str, box: Box) -> dict[str, Any]:
    wide = {"toggle": 24, "bang": 24, "number": 60}.get(box.kind, 14 + 7 * len(box.text))
    held: dict[str, Any] = {
        "id": name,
        "maxclass": _CLASSES[box.kind],
        "numinlets": 1 if box.kind == "comment" else 2 if box.kind == "message" else box.inlets,
        "numoutlets": len(box.outlets),
        "patching_rect": [float(box.x), float(box.y), float(wide), 22.0],
    }
    if box.outlets:
        held["outlettype"] = ["signal" if kind == "~" else "" for kind in box.outlets]
    if box.kind in ("object", "message", "comment"):
        held["text"] = _text(box.text)
    if box.kind == "number":
        held |= {"numoutlets": 2, "outlettype": ["", "bang"], "parameter_enable": 0}
        held |= {name: end for name, end in (("minimum", box.low), ("maximum", box.high)) if end is not None}
    if box.inside is not None:
        held |= {"text": f"p {box.text}", "patcher": _patcher(box.inside)}
    return held


def _text(text: str) -> str:
    """A name with spaces is quoted."""
    return " ".join(f'"{w}"' if "\u00a0" in w else w for w in text.split(" ")).replace("\u00a0", " ")
