"""The patches beside an export fit the file: channels, attributes and ranges; cords lead somewhere."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

import torchbend as tb
from torchbend.export import PlayMethod
from torchbend.export.patches import Knob, Stage, patch_texts, write_patches

LATENTS = {
    "encode": PlayMethod(1, 1, 3, 2048),
    "decode": PlayMethod(3, 2048, 1, 1),
    "forward": PlayMethod(1, 1, 1, 1),
}
KNOBS = (
    Knob("amount", "float", 0.25, 0.0, 2.0),
    Knob("steps", "int", 4, 2, None),
    Knob("free", "float", -1.5),
    Knob("learn", "bool", 0.0),
)
STAGES = {
    "rave": Stage("birds", LATENTS, KNOBS, 44100, 4),
    "stereo": Stage("two", {"forward": PlayMethod(2, 1, 2, 1)}),
    "eight": Stage("eight", {"forward": PlayMethod(8, 1, 8, 1)}, KNOBS[:1]),
    "wide": Stage(
        "wide", {"encode": PlayMethod(1, 1, 128, 512), "decode": PlayMethod(128, 512, 2, 1)}, KNOBS[2:]
    ),
    "prior": Stage("prior", {"prior": PlayMethod(1, 2048, 3, 2048), **LATENTS}),
    "only encode": Stage("ear", {"encode": PlayMethod(1, 1, 40, 2048)}),
    "only decode": Stage("mouth", {"decode": PlayMethod(3, 4096, 1, 1)}),
}


@dataclass
class Canvas:
    """A patch as it was read: boxes as (kind, text), cords as (source, outlet, target, inlet)."""

    name: str
    boxes: list[tuple[str, str]] = field(default_factory=list)
    cords: list[tuple[int, int, int, int]] = field(default_factory=list)
    inside: list[Canvas] = field(default_factory=list)

    def all(self) -> Iterator[Canvas]:
        yield self
        for canvas in self.inside:
            yield from canvas.all()

    def texts(self, kind: str) -> list[str]:
        return [text for canvas in self.all() for k, text in canvas.boxes if k == kind]


def read_pd(text: str) -> Canvas:
    """Reads the records of a Pd file; a backslash takes the meaning of the next character."""
    records = [r.strip() for r in re.split(r"(?<!\\);", text) if r.strip()]
    stack: list[Canvas] = []
    for record in records:
        words = re.split(r"(?<!\\) ", record)
        plain = [re.sub(r"\\(.)", r"\1", word) for word in words]
        if plain[:2] == ["#N", "canvas"]:
            stack.append(Canvas("top" if not stack else plain[6]))
        elif plain[1] == "restore":
            done = stack.pop()
            assert plain[4:] == ["pd", done.name]
            stack[-1].inside.append(done)
            stack[-1].boxes.append(("obj", f"pd {done.name}"))
        elif plain[1] == "connect":
            source, outlet, target, inlet = map(int, plain[2:])
            stack[-1].cords.append((source, outlet, target, inlet))
        else:
            assert plain[1] in ("obj", "msg", "text", "floatatom"), record
            int(plain[2]), int(plain[3])
            stack[-1].boxes.append((plain[1], " ".join(plain[4:])))
    assert len(stack) == 1
    return stack[0]


def read_max(patcher: dict[str, Any], name: str = "top") -> Canvas:
    """Reads the boxes of a Max file, and that each cord ends at inlets and outlets that its boxes have."""
    canvas = Canvas(name)
    boxes = [entry["box"] for entry in patcher["boxes"]]
    places = {box["id"]: k for k, box in enumerate(boxes)}
    assert len(places) == len(boxes)
    for box in boxes:
        assert len(box.get("outlettype", [])) == box["numoutlets"]
        assert len(box["patching_rect"]) == 4
        canvas.boxes.append((box["maxclass"], box.get("text", "")))
        if "patcher" in box:
            canvas.inside.append(read_max(box["patcher"], box["text"].removeprefix("p ")))
    for entry in patcher["lines"]:
        (source, outlet), (target, inlet) = entry["patchline"]["source"], entry["patchline"]["destination"]
        assert 0 <= outlet < boxes[places[source]]["numoutlets"]
        assert 0 <= inlet < boxes[places[target]]["numinlets"]
        canvas.cords.append((places[source], outlet, places[target], inlet))
    return canvas


def read(stage: Stage) -> dict[str, Canvas]:
    texts = patch_texts(stage)
    return {"pd": read_pd(texts[".pd"]), "max": read_max(json.loads(texts[".maxpat"])["patcher"])}


def ports(kind: str, text: str, methods: dict[str, PlayMethod]) -> tuple[int, int]:
    """Inlets and outlets of a box in Pd."""
    words = text.split()
    if kind in ("msg", "floatatom"):
        return 1, 1
    if kind == "text":
        return 0, 0
    if words[0] == "nn~":
        about = methods[words[2]]
        return about.in_channels, about.out_channels
    if words[0] in ("adc~", "dac~"):
        return (1, len(words) - 1) if words[0] == "adc~" else (len(words) - 1, 0)
    known = {
        **dict.fromkeys(("hsl", "tgl", "bng", "sig~", "snapshot~"), (1, 1)),
        **dict.fromkeys(("+~", "*~", "int", "metro"), (2, 1)),
        **dict.fromkeys(("r", "loadbang", "inlet"), (0, 1)),
        **dict.fromkeys(("s", "switch~", "pd"), (1, 0)),
    }
    return known[words[0]]


@pytest.mark.parametrize("name", STAGES)
def test_every_cord_joins_an_outlet_and_an_inlet_that_are_there(name: str) -> None:
    stage = STAGES[name]
    for canvas in read(stage)["pd"].all():
        counts = [ports(kind, text, dict(stage.methods)) for kind, text in canvas.boxes]
        assert canvas.cords
        assert len(set(canvas.cords)) == len(canvas.cords)
        for source, outlet, target, inlet in canvas.cords:
            assert 0 <= source < len(counts) and 0 <= outlet < counts[source][1], canvas.boxes[source]
            assert 0 <= target < len(counts) and 0 <= inlet < counts[target][0], canvas.boxes[target]


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("host", ["pd", "max"])
def test_every_method_is_played_and_its_channels_are_joined(name: str, host: str) -> None:
    stage, played = STAGES[name], set()
    for canvas in read(stage)[host].all():
        for k, (_, text) in enumerate(canvas.boxes):
            if not text.startswith("nn~"):
                continue
            _, model, method, buffer = text.split()
            about = stage.methods[method]
            assert model == stage.name
            assert int(buffer) >= max(about.in_ratio, about.out_ratio, 64)
            assert int(buffer) & (int(buffer) - 1) == 0
            into = {inlet for _, _, target, inlet in canvas.cords if target == k}
            out = {outlet for source, outlet, _, _ in canvas.cords if source == k}
            assert into == set(range(about.in_channels))
            wanted = about.out_channels if about.out_ratio == 1 or "decode" in stage.methods else 16
            assert out == set(range(min(about.out_channels, wanted)))
            assert any(canvas.boxes[s][1] == f"r {stage.bus}" for s, _, t, _ in canvas.cords if t == k)
            played.add(method)
    assert played == set(stage.methods)


@pytest.mark.parametrize("host", ["pd", "max"])
def test_each_attribute_has_messages_and_its_range(host: str) -> None:
    canvas = read(STAGES["rave"])[host]
    messages = canvas.texts("msg" if host == "pd" else "message")
    asked = [m.split() for m in messages if m.startswith("set ") and len(m.split()) == 3]
    assert asked == [
        ["set", "amount", "$1"],
        ["set", "steps", "$1"],
        ["set", "free", "$1"],
        ["set", "learn", "true"],
        ["set", "learn", "false"],
    ]
    assert {"set 0.25", "set 4", "set -1.5", "reload"} <= set(messages)
    comments = " / ".join(canvas.texts("text" if host == "pd" else "comment"))
    for told in ("amount: 0 to 2. 0.25 in the file", "steps: from 2 on", "free: any number", "44100 Hz"):
        assert told in comments
    assert "int" in canvas.texts("obj" if host == "pd" else "newobj")


def test_ranges_are_those_of_sliders_and_numbers() -> None:
    patch = read(STAGES["rave"])["pd"]
    sliders = [text.split()[3:5] for text in patch.texts("obj") if text.startswith("hsl")]
    assert sorted(sliders) == [["0", "1"], ["0", "2"]]  # the volume and the one attribute with two ends
    assert "8 0 2 0 - - - 0" in patch.texts("floatatom")
    held = json.loads(patch_texts(STAGES["rave"])[".maxpat"])["patcher"]["boxes"]
    numbers = [box["box"] for box in held if box["box"]["maxclass"] == "flonum"]
    assert [(n.get("minimum"), n.get("maximum")) for n in numbers] == [
        (0, 1),
        (0, 2),
        (2, None),
        (None, None),
    ]


def test_sound_goes_in_and_out() -> None:
    forward = {name: read(stage)["pd"].inside[0] for name, stage in STAGES.items()}
    assert forward["rave"].name == "forward"
    assert "adc~ 1" in forward["rave"].texts("obj") and "dac~ 1 2" in forward["rave"].texts("obj")
    assert "adc~ 1 2" in forward["stereo"].texts("obj")
    assert "dac~ 1 2 3 4 5 6 7 8" in forward["eight"].texts("obj")
    top = read(STAGES["rave"])["pd"]
    assert "; pd dsp $1" in top.texts("msg")


def test_ways_of_playing_and_which_one_is_on() -> None:
    names = [canvas.name for canvas in read(STAGES["prior"])["pd"].inside]
    assert names == ["forward", "prior-decode", "encode-decode"]
    top = read(STAGES["prior"])["pd"]
    begins = [text for kind, text in top.boxes if kind == "msg" and text in ("0", "1")]
    assert begins == ["1", "0", "0"]
    assert [c.name for c in read(STAGES["only decode"])["pd"].inside] == ["decode"]


@pytest.mark.parametrize("name", ["my birds", "a,b;c", "12", "$1", "naïve-ü"])
def test_any_name_of_a_file(name: str) -> None:
    stage = Stage(name, {"forward": PlayMethod(1, 1, 1, 1)})
    text = patch_texts(stage)[".pd"]
    line = next(line for line in text.splitlines() if "nn~ " in line and "#X obj" in line)
    words = re.split(r"(?<!\\) ", line.removesuffix(";"))
    plain = [re.sub(r"\\(.)", r"\1", word) for word in words]
    assert plain[5:] == [f"{name}.ts" if name == "12" else name, "forward", "1024"]
    for canvas in read(stage)["pd"].all():
        assert len(canvas.boxes) > 5
    assert re.fullmatch(r"[A-Za-z0-9_-]+", stage.bus)


def export_fold(path: Path, **how: Any) -> None:
    class Fold(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = torch.nn.Conv1d(1, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(self.mix(x))

    torch.manual_seed(0)
    bended = tb.BendedModule(Fold())
    bended.trace(torch.zeros(1, 1, 64))
    bended.bend(tb.Scale(tb.BendingParameter("drive", 1.0, range=[0.5, 3.0])), "sin$")
    bended.export(path, **how)


def test_patches_lie_beside_an_export(tmp_path: Path) -> None:
    export_fold(tmp_path / "fold.ts")
    facts = json.loads((tmp_path / "fold.json").read_text("utf-8"))
    patch = read_pd((tmp_path / "fold.pd").read_text("utf-8"))
    (control,) = facts["controls"]
    assert f"set {control['name']} $1" in patch.texts("msg")
    assert any(t.split()[3:5] == ["0.5", "3"] for t in patch.texts("obj") if t.startswith("hsl"))
    assert "nn~ fold forward 1024" in patch.texts("obj")
    read_max(json.loads((tmp_path / "fold.maxpat").read_text("utf-8"))["patcher"])


def test_patches_can_be_left_out(tmp_path: Path) -> None:
    export_fold(tmp_path / "fold.ts", patches=False)
    assert {path.name for path in tmp_path.iterdir()} == {"fold.ts", "fold.json"}


def test_a_patch_that_was_changed_by_hand_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "birds.ts"
    assert [p.suffix for p in write_patches(path, STAGES["rave"])] == [".pd", ".maxpat"]
    other = Stage("birds", {"forward": PlayMethod(1, 1, 1, 1)})
    assert len(write_patches(path, other)) == 2  # not changed: written anew
    patch = path.with_suffix(".pd")
    patch.write_text(patch.read_text("utf-8") + "#X text 10 10 mine;\n", "utf-8")
    with caplog.at_level(logging.WARNING, "torchbend"):
        assert [p.suffix for p in write_patches(path, STAGES["rave"])] == [".maxpat"]
    assert "mine" in patch.read_text("utf-8")
    assert "changed by hand" in caplog.text
