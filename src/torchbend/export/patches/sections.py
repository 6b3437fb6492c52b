"""The ways of playing a file: one method, or one that makes latents before one that makes sound of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torchbend.export.patches.graph import Box, Host, Patch
from torchbend.export.play import PlayMethod

__all__ = ["Section", "section_patch", "sections"]

_MOST_KNOBS = 16
"""Channels that have a knob of their own; the others are joined without one."""

_REACH = 3.0
"""A latent is moved so far, in standard deviations of what most models were trained on."""


@dataclass(frozen=True)
class Section:
    """A way of playing.

    Attributes:
        methods: one, or two of which the second one takes what the first one gives.
    """

    methods: tuple[tuple[str, PlayMethod], ...]

    @property
    def name(self) -> str:
        """Of its patch."""
        return "-".join(name for name, _ in self.methods)


def sections(methods: Mapping[str, PlayMethod]) -> list[Section]:
    """All ways of playing some methods; those from sound to sound come first."""
    chains = [
        Section(((first, a), (second, b)))
        for first, a in methods.items()
        for second, b in methods.items()
        if a.out_ratio > 1
        and b.out_ratio == 1
        and (a.out_channels, a.out_ratio) == (b.in_channels, b.in_ratio)
    ]
    chained = {name for section in chains for name, _ in section.methods}
    alone = [Section(((name, about),)) for name, about in methods.items() if name not in chained]
    return sorted([*alone, *chains], key=lambda section: not _from_sound_to_sound(section))


def _from_sound_to_sound(section: Section) -> bool:
    return len(section.methods) == 1 and section.methods[0][1].params[1::2] == (1, 1)


def section_patch(section: Section, model: str, buffer: int, bus: str, host: Host) -> Patch:
    """The patch of a way of playing.

    Args:
        section: the methods.
        model: the first argument of nn~.
        buffer: its third argument, in samples.
        bus: where messages to nn~ come from; the volume comes from ``<bus>-volume``.
        host: for which it is made.
    """
    patch = Patch(section.name)
    inlet = patch.object("inlet", 500, 15, 0)
    if host == "pd":
        patch.join(inlet, patch.object("switch~", 500, 45, 1, ""))
    receive = patch.object(f"r {bus}", 300, 15, 0)
    first = section.methods[0][1]
    y, outlets = _source(patch, first)
    for k, (name, about) in enumerate(section.methods):
        if k:
            y, outlets = _moved(patch, outlets, about.labels()[0], y)
        box = patch.object(f"nn~ {model} {name} {buffer}", 20, y, about.in_channels, "~" * about.out_channels)
        patch.join(receive, box)
        for channel, (source, outlet) in enumerate(outlets):
            patch.join(source, box, outlet, channel)
        outlets = [(box, channel) for channel in range(about.out_channels)]
        y += 50
    last = section.methods[-1][1]
    if last.out_ratio == 1:
        _speakers(patch, outlets, bus, y)
    else:
        _shown(patch, outlets, last.labels()[1], y)
    return patch


Outlets = Sequence[tuple[int, int]]
"""Boxes, each with one of its outlets."""


def _channels(count: int) -> str:
    return " ".join(str(k + 1) for k in range(count))


def _source(patch: Patch, about: PlayMethod) -> tuple[int, Outlets]:
    """Microphones for sound, knobs for anything slower."""
    if about.in_ratio == 1:
        patch.comment(f"{about.in_channels} channel(s) of sound", 120, 60)
        box = patch.object(f"adc~ {_channels(about.in_channels)}", 20, 60, 1, "~" * about.in_channels)
        return 120, [(box, channel) for channel in range(about.in_channels)]
    outlets, y = [], 60
    for label in about.labels()[0][:_MOST_KNOBS]:
        box = patch.object("sig~ 0.0", 20, y, 1, "~")
        patch.join(_knob(patch, label, y), box)
        outlets.append((box, 0))
        y += 30
    _rest(patch, about.in_channels, "silent", y)
    return y + 40, outlets


def _moved(patch: Patch, outlets: Outlets, labels: Sequence[str], y: int) -> tuple[int, Outlets]:
    """A knob between two methods for each channel: what it says is added."""
    moved: list[tuple[int, int]] = []
    for (source, outlet), label in zip(outlets[:_MOST_KNOBS], labels, strict=False):
        box = patch.object("+~ 0.0", 20, y, 2, "~")
        patch.join(source, box, outlet)
        patch.join(_knob(patch, label, y), box, 0, 1)
        moved.append((box, 0))
        y += 30
    _rest(patch, len(outlets), "joined without a knob", y)
    return y + 40, [*moved, *outlets[_MOST_KNOBS:]]


def _knob(patch: Patch, label: str, y: int) -> int:
    patch.comment(label, 200, y)
    return patch.add(Box("number", "", 110, y, low=-_REACH, high=_REACH))


def _rest(patch: Patch, channels: int, what: str, y: int) -> None:
    if channels > _MOST_KNOBS:
        patch.comment(f"channels {_MOST_KNOBS + 1} to {channels}: {what}", 110, y)


def _speakers(patch: Patch, outlets: Outlets, bus: str, y: int) -> None:
    """One channel goes to both speakers."""
    volume = patch.object(f"r {bus}-volume", 300, y, 0)
    out = patch.object(f"dac~ {_channels(max(2, len(outlets)))}", 20, y + 80, max(2, len(outlets)), "")
    for channel, (source, outlet) in enumerate(outlets):
        louder = patch.object("*~ 0.5", 20 + 70 * channel, y + 40, 2, "~")
        patch.join(source, louder, outlet)
        patch.join(volume, louder, 0, 1)
        for speaker in (0, 1) if len(outlets) == 1 else (channel,):
            patch.join(louder, out, 0, speaker)


def _shown(patch: Patch, outlets: Outlets, labels: Sequence[str], y: int) -> None:
    """Ten times a second, each channel as a number."""
    start, clock = patch.object("loadbang", 300, y, 0), patch.object("metro 100", 400, y, 2)
    patch.join(start, clock)
    for (source, outlet), label in zip(outlets[:_MOST_KNOBS], labels, strict=False):
        y += 30
        look = patch.object("snapshot~", 20, y)
        patch.join(source, look, outlet)
        patch.join(clock, look)
        patch.join(look, patch.add(Box("number", "", 110, y)))
        patch.comment(label, 200, y)
    _rest(patch, len(outlets), "not shown", y + 30)
