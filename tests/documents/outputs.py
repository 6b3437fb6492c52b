"""What a cell showed: what it printed, its tables, its figures and its sounds."""

from __future__ import annotations

import base64
import io
import re
import wave
from html import unescape
from typing import Any, NamedTuple

import numpy as np

PLOTLY = "application/vnd.plotly.v1+json"

Rows = list[list[str]]

_FROM_ELSEWHERE = re.compile(
    r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|@import|url\(\s*["']?(?:https?:)?//"""
)


class Sound(NamedTuple):
    """A sound that a player of a cell plays: samples ``[T, channels]`` in [-1, 1], and their rate in Hz."""

    samples: np.ndarray
    rate: int


class Cell:
    """A cell that has run.

    Args:
        cell: of the notebook.
    """

    def __init__(self, cell: Any) -> None:
        self.source: str = cell.source
        self.outputs: list[Any] = list(cell.outputs)

    @property
    def printed(self) -> str:
        """What it wrote to its output."""
        return "".join(o.text for o in self.outputs if o.output_type == "stream" and o.name == "stdout")

    @property
    def errors(self) -> str:
        """What it wrote to the output of errors and warnings."""
        return "".join(o.text for o in self.outputs if o.output_type == "stream" and o.name == "stderr")

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The bundles of what it displayed, by their types."""
        return [o.data for o in self.outputs if o.output_type in ("display_data", "execute_result")]

    @property
    def html(self) -> list[str]:
        """Each piece of HTML."""
        return [bundle["text/html"] for bundle in self.shown if "text/html" in bundle]

    @property
    def result(self) -> dict[str, Any] | None:
        """The bundle of its last line's value."""
        found = [o.data for o in self.outputs if o.output_type == "execute_result"]
        return found[0] if found else None

    @property
    def tables(self) -> list[tuple[list[str], Rows]]:
        """Each HTML table as its header and its rows of cells."""
        return [_table(html) for html in self.html if "<table" in html]

    @property
    def figures(self) -> list[dict[str, Any]]:
        """Each plotly figure: its traces, with numbers as arrays, and its layout."""
        return [_numbers(bundle[PLOTLY]) for bundle in self.shown if PLOTLY in bundle]

    @property
    def sounds(self) -> list[Sound]:
        """Each sound that an ``<audio>`` plays."""
        uris = re.findall(r'<audio.*?src="data:audio/wav;base64,([^"]+)"', "\n".join(self.html), re.S)
        return [_sound(base64.b64decode(uri)) for uri in uris]

    @property
    def from_elsewhere(self) -> list[str]:
        """What its HTML would fetch from the network."""
        return [match.group() for html in self.html for match in _FROM_ELSEWHERE.finditer(html)]


def _table(html: str) -> tuple[list[str], Rows]:
    def cells(row: str, tag: str) -> list[str]:
        found = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", row, re.S)
        return [unescape(re.sub("<[^>]+>", "", cell)).strip() for cell in found]

    head, *body = re.findall(r"<tr[^>]*>(.*?)</tr>", html, re.S)
    return cells(head, "th"), [cells(row, "td") for row in body]


def _numbers(value: Any) -> Any:
    """A figure's data with plotly's packed arrays (type, base64, shape) unpacked."""
    if isinstance(value, dict):
        if set(value) >= {"dtype", "bdata"}:
            flat = np.frombuffer(base64.b64decode(value["bdata"]), dtype=np.dtype(value["dtype"]))
            return flat.reshape([int(n) for n in value["shape"].split(",")]) if "shape" in value else flat
        return {key: _numbers(inner) for key, inner in value.items()}
    return [_numbers(inner) for inner in value] if isinstance(value, list) else value


def _sound(data: bytes) -> Sound:
    with wave.open(io.BytesIO(data)) as file:
        assert file.getsampwidth() == 2
        frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return Sound(frames.reshape(-1, file.getnchannels()) / 32768, file.getframerate())
