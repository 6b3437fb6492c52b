"""What was exported sounds like the live model: at any size of blocks, while controls move, for all rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from .conftest import Export
from .models import PRESETS
from .playing import FRAMES, away, blocks_of, both, off_stage, on_stage, played

STEADY = ("v3", "causal", "nopqmf", "brave", "spherical", "discrete", "two_signals", "double_rate")
"""Models and exports in which nothing is drawn."""

START = [("drive", 1.25), ("shift", 0.1)]
MOVES = {1: [("drive", 0.5)], 2: [("shift", -0.4)], 3: [("drive", 2.0), ("shift", 0.0)]}
"""Values of controls, by the number of the block before which they are set."""


@pytest.fixture
def export(exported: Callable[..., Export], request: pytest.FixtureRequest) -> Iterator[Export]:
    """The export of the configuration that the test is called with; its controls are moved back."""
    made = exported(request.param)
    yield made
    for name, value in START:
        made.bended.update(name, value)


def given(export: Export, method: str, rows: int, frames: int) -> tuple[Tensor, int]:
    """Something to play, and how much of it is one frame."""
    channels, ratio = export.facts["methods"][method][:2]
    unit = export.ratio // ratio
    return 0.3 * torch.randn(rows, channels, frames * unit), unit


@pytest.mark.parametrize("export", PRESETS, indirect=True)
@pytest.mark.parametrize("method", ["encode", "decode", "forward"])
def test_the_file_is_the_live_model_in_all_blocks_while_controls_move(export: Export, method: str) -> None:
    x, unit = given(export, method, export.rows, sum(FRAMES))
    with on_stage(export.bended, export.rows, export.options) as live:
        wanted, got = both(
            export.load(), export.bended, method, live[method], blocks_of(x, unit), {0: START, **MOVES}
        )
    assert away(wanted, got) <= 1e-5


@pytest.mark.parametrize("export", ["v2"], indirect=True)
def test_a_file_that_is_loaded_anew_begins_anew(export: Export) -> None:
    x, unit = given(export, "forward", 1, 4)
    first, second = export.load(), export.load()
    streams = []
    for module in (first, second, first):
        torch.manual_seed(3)
        streams.append(played(module, "forward", x, unit))
    assert torch.equal(streams[0], streams[1])
    assert away(streams[0], streams[2]) > 0.01, "a file that goes on remembers what it played"
    assert second.set_drive(0.25) == 0
    assert (first.get_drive(), second.get_drive(), export.load().get_drive()) == ((1.25,), (0.25,), (1.25,))


@pytest.mark.parametrize("export", ["brave", "spherical", "double_rate"], indirect=True)
@pytest.mark.parametrize("method", ["decode", "forward"])
def test_the_size_of_blocks_does_not_matter(export: Export, method: str) -> None:
    x, unit = given(export, method, 2, 15)
    streams = [played(export.load(), method, x, unit, (size,)) for size in (1, 2, 3, 5, 15)]
    assert max(away(streams[0], other) for other in streams[1:]) <= 1e-4


@pytest.mark.parametrize("export", ["two_signals", "brave"], indirect=True)
def test_rows_do_not_hear_each_other(export: Export) -> None:
    x, unit = given(export, "forward", export.rows, 4)
    together = played(export.load(), "forward", x, unit)
    for row in range(export.rows):
        alone = played(export.load(), "forward", x[row : row + 1], unit)
        assert away(alone, together[row : row + 1]) <= 1e-4


@pytest.mark.parametrize("export", ["two_signals"], indirect=True)
def test_signals_side_by_side_do_not_hear_each_other(export: Export) -> None:
    mono = export.bended.rave.channels
    x, unit = given(export, "forward", 1, 4)
    assert (mono, x.shape[1]) == (1, 2)
    both_sides = played(export.load(), "forward", x, unit)
    for side in (0, 1):
        alone = torch.zeros_like(x)
        alone[:, side] = x[:, side]
        assert away(played(export.load(), "forward", alone, unit)[:, side], both_sides[:, side]) <= 1e-4
    z, unit = given(export, "decode", 1, 4)
    latents = z.shape[1] // 2
    swapped = torch.cat([z[:, latents:], z[:, :latents]], 1)
    there, back = (played(export.load(), "decode", each, unit) for each in (z, swapped))
    assert away(there.flip(1), back) <= 1e-4


@pytest.mark.parametrize("export", STEADY, indirect=True)
@pytest.mark.parametrize("method", ["encode", "decode", "forward"])
def test_a_stream_is_the_offline_output_late_by_what_the_json_file_tells(export: Export, method: str) -> None:
    frames = 48 if export.ratio >= 1024 else 256
    x, unit = given(export, method, 1, frames)
    with off_stage(export.bended, export.options) as calls:
        wanted = calls[method](x)
    got = played(export.load(), method, x, unit, (3, 1, 5))
    late = export.facts["delays"][method] / export.facts["methods"][method][3]
    assert late == int(late)
    whole, start = wanted.shape[-1], wanted.shape[-1] // 2
    after = got[..., start + int(late) :]
    assert after.shape[-1] > whole // 8
    assert away(wanted[..., start : whole - int(late)], after) <= 1e-4
