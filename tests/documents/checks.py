"""What holds for every document, and for every figure and sound in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .kernel import Executed
from .outputs import Sound


def check_all(executed: Executed) -> None:
    """Nothing comes from the network, no figure is empty or shown twice, no sound is silent."""
    assert executed.asked == []
    for number, cell in enumerate(executed.cells):
        assert cell.from_elsewhere == [], number
        for figure in cell.figures:
            assert figure["data"], number
            for trace in figure["data"]:
                assert len(values_of(trace)) > 0, number
        for sound in cell.sounds:
            assert len(sound.samples) > 0 and np.abs(sound.samples).max() > 0, number
        drawn = [repr(figure["data"]) for figure in cell.figures]
        assert len(set(drawn)) == len(drawn), number


def values_of(trace: dict[str, Any]) -> np.ndarray:
    """The numbers of a trace: its heights, or what it counts."""
    key = next(key for key in ("z", "y", "x") if key in trace)
    return np.asarray(trace[key])


def curves(figure: dict[str, Any]) -> dict[str, np.ndarray]:
    """The lines of a figure by name; those that only guide the eye are left out."""
    found = {}
    for trace in figure["data"]:
        if trace["type"] == "scatter" and trace.get("hoverinfo") != "skip":
            found[trace.get("name", "")] = values_of(trace)
    return found


def title(figure: dict[str, Any]) -> str:
    """The title of a figure, without the sentence below it."""
    text: str = figure["layout"]["title"]["text"]
    return text.split("<br>")[0].removeprefix("<b>").removesuffix("</b>")


def plays(sound: Sound, samples: np.ndarray, rate: int, loudest: float | None = None) -> bool:
    """Whether a player plays these samples; ``loudest``: the value that its full scale stands for."""
    expected = np.asarray(samples, dtype=np.float64).reshape(-1) / (loudest or 1.0)
    if sound.rate != rate or len(sound.samples) != len(expected):
        return False
    # A step of 16 bits, and where one reader rounds and another cuts, one more.
    return bool(np.abs(sound.samples[:, 0] - expected.clip(-1, 1)).max() <= 2 / 32768)
