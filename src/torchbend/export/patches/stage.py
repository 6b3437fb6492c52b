"""What a patch shows of an exported file: a switch for each way of playing it, a knob for each attribute."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from torchbend.export.patches.graph import Box, Host, Patch
from torchbend.export.patches.sections import Section, section_patch, sections
from torchbend.export.play import PlayMethod

__all__ = ["Knob", "Stage", "stage_patch"]

_SHORTEST_BUFFER = 1024
"""Samples; shorter buffers are less late and cost more."""


@dataclass(frozen=True)
class Knob:
    """An attribute.

    Attributes:
        name: of the attribute.
        kind: ``"float"``, ``"int"`` or ``"bool"``.
        value: that the file holds.
        low, high: its range; None leaves an end open.
    """

    name: str
    kind: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Stage:
    """What an exported file holds.

    Attributes:
        name: of the file, without its suffix.
        methods: with their inlets and outlets.
        knobs: the attributes.
        sample_rate: of the host, in Hz; None where any will do.
        max_batch: signals that its state holds at once; None where it is not known.
    """

    name: str
    methods: Mapping[str, PlayMethod]
    knobs: tuple[Knob, ...] = field(default=())
    sample_rate: int | None = None
    max_batch: int | None = None

    @property
    def buffer(self) -> int:
        """Samples that nn~ gathers before it calls a method."""
        return max(_SHORTEST_BUFFER, *(max(m.in_ratio, m.out_ratio) for m in self.methods.values()))

    @property
    def bus(self) -> str:
        """Where messages to all nn~ of the patch are sent."""
        return f"{re.sub(r'[^A-Za-z0-9_-]', '_', self.name)}-nn"

    @property
    def model(self) -> str:
        """The first argument of nn~; a name that is a number could not be told from one."""
        name = self.name.replace(" ", "\u00a0")
        return f"{name}.ts" if re.fullmatch(r"[-+.\deE]+", name) else name


def stage_patch(stage: Stage, host: Host, note: str) -> Patch:
    """The whole patch.

    Args:
        stage: what the file holds.
        host: for which it is made.
        note: a comment at its end.
    """
    patch = Patch(stage.name)
    y = _head(patch, stage, host)
    patch.comment("how to play: one at a time, each costs the time of its model", 20, y)
    y += 30
    for k, section in enumerate(sections(stage.methods)):
        _switch(patch, stage, section, host, y, on=k == 0)
        y += 40
    y = _knobs(patch, stage, host, y + 20) if stage.knobs else y + 20
    reload, send = patch.message("reload", 50, y), patch.object(f"s {stage.bus}", 50, y + 30, outlets="")
    patch.join(patch.add(Box("bang", "", 20, y)), reload)
    patch.join(reload, send)
    patch.comment("reads the file again: attributes are then those of the file", 130, y)
    patch.comment(note, 20, y + 70)
    return patch


def _head(patch: Patch, stage: Stage, host: Host) -> int:
    """Sound on and off, volume, and what to know."""
    patch.comment(f"{stage.name}.ts", 20, 15)
    buffer = stage.buffer
    rate = "any sample rate" if stage.sample_rate is None else f"set the host to {stage.sample_rate} Hz"
    late = f"late by {2 * buffer - 64}" if host == "pd" else f"late by up to {2 * buffer}"
    patch.comment(f"{rate}. With buffers of {buffer} nn~ is {late} samples.", 20, 40)
    load = "Media > Load Meter" if host == "pd" else "the CPU figure of Audio Status"
    patch.comment(f"load: {load} shows what it costs; more than half and it may click.", 20, 60)
    if stage.max_batch is not None and host == "max":
        patch.comment(f"mc.nn~ and mcs.nn~ play up to {stage.max_batch} signals at once.", 20, 80)
    toggle = patch.add(Box("toggle", "", 20, 110))
    if host == "pd":
        patch.join(toggle, patch.message("; pd dsp $1", 50, 110))
    else:
        patch.join(toggle, patch.object("adstatus switch", 50, 110, 2, ".."))
    patch.comment("sound on and off", 190, 110)
    shown = _number(patch, 20, 150, 0.5, 0.0, 1.0, host)
    patch.join(shown, patch.object(f"s {stage.bus}-volume", 240, 150, outlets=""))
    patch.comment("volume", 420, 150)
    return 200


def _switch(patch: Patch, stage: Stage, section: Section, host: Host, y: int, on: bool) -> None:
    """A way of playing, with what switches its sound and its cost off."""
    inside = section_patch(section, stage.model, stage.buffer, stage.bus, host)
    toggle = patch.add(Box("toggle", "", 20, y))
    start, begin = patch.object("loadbang", 450, y, 0), patch.message(str(int(on)), 540, y)
    box = patch.add(Box("patch", section.name, 190, y, 1, "", inside=inside))
    patch.join(start, begin)
    patch.join(begin, toggle)
    if host == "pd":
        patch.join(toggle, box)
        return
    mute, off = patch.object("mute~", 120, y, 1, "."), patch.object("== 0", 60, y, 2, ".")
    patch.join(toggle, off)
    patch.join(off, mute)
    patch.join(mute, box)


def _knobs(patch: Patch, stage: Stage, host: Host, y: int) -> int:
    """A row for each attribute."""
    patch.comment("attributes", 20, y)
    y += 30
    send = patch.object(f"s {stage.bus}", 400, y + 40 * len(stage.knobs), outlets="")
    for knob in stage.knobs:
        if knob.kind == "bool":
            for k, word in enumerate(("true", "false")):
                patch.join(patch.message(f"set {knob.name} {word}", 20 + 190 * k, y), send)
            patch.comment(f"{knob.name}: on or off. {'On' if knob.value else 'Off'} in the file.", 620, y)
        else:
            last = _number(patch, 20, y, knob.value, knob.low, knob.high, host)
            if knob.kind == "int":
                whole = patch.object("int", 240, y, 2)
                patch.join(last, whole)
                last = whole
            message = patch.message(f"set {knob.name} $1", 400, y)
            patch.join(last, message)
            patch.join(message, send)
            patch.comment(_told(knob), 620, y)
        y += 40
    return y + 40


def _number(
    patch: Patch, x: int, y: int, value: float, low: float | None, high: float | None, host: Host
) -> int:
    """A number that shows a value from the start; in Pure Data with a slider, where both ends are known."""
    number = patch.add(Box("number", "", x + 140, y, low=low, high=high))
    start, shown = patch.object("loadbang", x + 820, y, 0), patch.message(f"set {value:g}", x + 910, y)
    patch.join(start, shown)
    patch.join(shown, number)
    if host == "pd" and low is not None and high is not None:
        slider = patch.add(Box("slider", "", x, y, low=low, high=high))
        patch.join(shown, slider)
        patch.join(slider, number)
    return number


def _told(knob: Knob) -> str:
    ends = [None if end is None else f"{end:g}" for end in (knob.low, knob.high)]
    reach = {
        (True, True): f"{ends[0]} to {ends[1]}",
        (True, False): f"from {ends[0]} on",
        (False, True): f"up to {ends[1]}",
        (False, False): "any number",
    }[knob.low is not None, knob.high is not None]
    return f"{knob.name}: {reach}. {knob.value:g} in the file."
