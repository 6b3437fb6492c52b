"""The stand-ins are there for the test that asks for them, and only for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
import torch


def test_without_the_fixture_there_is_no_stand_in(repository: Path) -> None:
    found = importlib.util.find_spec("dandb")
    assert found is None or "stand_ins" not in str(found.origin)


@pytest.mark.parametrize(("shape", "lines"), [((50,), 1), ((3, 50), 3), ((2, 4, 50), 4)])
def test_the_plot_draws_each_channel(stand_ins: Path, shape: tuple[int, ...], lines: int) -> None:
    from dandb import plot_1d_activation

    figure = plot_1d_activation("sin", torch.rand(shape))
    assert len(figure.data) == lines
    assert len(figure.data[0].y) == 50
    figure.show()


def test_the_plot_takes_channels(stand_ins: Path) -> None:
    from dandb import plot_1d_activation

    value = torch.rand(1, 4, 50)
    assert [line.name for line in plot_1d_activation("sin", value, channel_idx=2).data] == ["sin[2]"]
    assert [line.name for line in plot_1d_activation("x", value, channel_idx=[0, 3]).data] == ["x[0]", "x[3]"]
    with pytest.raises(ValueError, match="no channel 4"):
        plot_1d_activation("sin", value, channel_idx=4)


def test_the_phrases_are_there(phrase: Callable[[str], Path]) -> None:
    soundfile = pytest.importorskip("soundfile")
    for name in ("violin", "piano"):
        about = soundfile.info(phrase(name))
        assert (about.samplerate, about.channels, about.duration) == (44100, 1, 8.0)
