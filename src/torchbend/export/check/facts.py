"""What an exported file says of itself, in its mark and in the JSON file beside it.

All of it is optional; what is not there is not checked::

    {"sha256": "...",                                    # over the program's text; makes the mark valid
     "torchbend": "0.1.0",
     "sample_rate": 44100,                               # Hz
     "max_batch": 8,                                     # rows that the streaming state serves
     "delays": {"forward": 2048},                        # samples, by method
     "controls": [{"name": "drive", "range": [0, 1]}]}   # nn~ itself knows no ranges
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Facts"]


@dataclass(frozen=True)
class Facts:
    """What a file says of itself.

    Attributes:
        sample_rate: in Hz; None where it is not told.
        max_batch: rows that its state serves; None where it is not told.
        delays: in samples of the host, by method.
        ranges: of the controls, by attribute: two ends, each a number or None where it is open.
    """

    sample_rate: int | None = None
    max_batch: int | None = None
    delays: dict[str, float] = field(default_factory=dict)
    ranges: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)

    @classmethod
    def read(cls, *sources: Mapping[str, Any]) -> Facts:
        """The facts of several descriptions; the first one that tells something is believed."""
        told: dict[str, Any] = {}
        for source in reversed(sources):
            told.update({name: value for name, value in source.items() if value is not None})
        delays = told.get("delays", told.get("delay", {}))
        delays = {"forward": delays} if _number(delays) is not None else delays
        return cls(
            sample_rate=_whole(told.get("sample_rate")),
            max_batch=_whole(told.get("max_batch")),
            delays=_numbers(delays),
            ranges=_ranges(told.get("controls", told.get("attributes"))),
        )

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Facts:
        """The facts that `to_dict` gave."""
        ranges = {name: (ends[0], ends[1]) for name, ends in data["ranges"].items()}
        return cls(data["sample_rate"], data["max_batch"], dict(data["delays"]), ranges)


def _ranges(controls: Any) -> dict[str, tuple[float | None, float | None]]:
    """From ``[{"name": ..., "range": [low, high]}]``, or ``{name: {"range": ...}}``, or ``{name: [...]}``."""
    if isinstance(controls, Mapping):
        pairs = [(str(name), value) for name, value in controls.items()]
    elif isinstance(controls, list):
        pairs = [(str(c.get("name")), c) for c in controls if isinstance(c, Mapping)]
    else:
        return {}
    found = {}
    for name, value in pairs:
        ends = (
            value.get("range", [value.get("min"), value.get("max")]) if isinstance(value, Mapping) else value
        )
        if isinstance(ends, list | tuple) and len(ends) == 2:
            found[name] = (_number(ends[0]), _number(ends[1]))
    return found


def _numbers(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        return {}
    return {str(name): number for name, item in value.items() if (number := _number(item)) is not None}


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if usable else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number >= 1 else None
