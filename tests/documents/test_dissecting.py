"""Document 000 runs in a kernel, unchanged, on the saxophone: tables, figures, and what layers sound like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from .checks import check_all, curves, title, values_of
from .kernel import Executed, execute
from .reading import code_cells

FRAMES = 8 * 44100
ENCODER = {"add_4": 16, "add_9": 32, "add_14": 64, "add_18": 128, "conv1d_28": 128}
DECODER = {"add_6": 128, "add_12": 64, "add_18": 32, "add_24": 16, "sigmoid": 1}
LAYERS = [f"encoder.encoder.net.{place}.weight_v" for place in (0, 5, 10, 15, 19)]
KERNEL_CELLS = (11, 12, 14)


@pytest.fixture(scope="module")
def executed(shared_dir: Path) -> Executed:
    wanted = ["out", "n_samples", "model.sample_rate", f"{{n: model.state_dict()[n] for n in {LAYERS}}}"]
    return execute(code_cells(shared_dir, "000"), wanted)


@pytest.fixture(scope="module")
def weights(executed: Executed) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = list(executed.variables.values())[-1]
    return found


def test_all_is_there_and_nothing_is_from_elsewhere(executed: Executed) -> None:
    check_all(executed)
    assert executed.variables["model.sample_rate"] == 44100
    assert executed.variables["n_samples"] == FRAMES
    assert all(not cell.errors for cell in executed.cells)
    assert "BendedPart(encoder: Variational" in executed.cells[1].printed


def test_tables(executed: Executed) -> None:
    (graph,), (short,) = executed.cells[2].tables, executed.cells[3].tables
    assert graph[0] == ["opcode", "name", "target", "args", "kwargs"]
    names, fewer = [row[1] for row in graph[1]], [row[1] for row in short[1]]
    assert {"conv1d_28", "getitem"} <= set(names) and len(names) > 200
    assert fewer == [n for n in names if not n.startswith(("getattr", "getitem", "copy", "cat"))]
    for cell, flt in ((4, "conv"), (5, "pow")):
        ((header, rows),) = executed.cells[cell].tables
        assert header == ["name", "op", "target", "shape", "dtype", "module", "source"]
        assert rows and all(row[0].startswith(flt) for row in rows)
    activations, nodes = executed.cells[6].tables
    assert [row[0] for row in activations[1]] == [row[1] for row in nodes[1]]
    whole, every = executed.cells[8].tables
    assert {row[0].split("[")[0] for row in every[1]} <= {row[1] for row in whole[1]}
    for cell, part in ((10, "encoder"), (13, "decoder")):
        ((header, rows),) = executed.cells[cell].tables
        assert header == ["name", "shape", "dtype", "min", "max", "mean", "stddev"]
        assert rows and all(row[0].startswith(part) and "weight_v" in row[0] for row in rows)


def test_a_table_is_shown_once(executed: Executed) -> None:
    for number in (2, 3, 4, 5, 8, 10, 13):
        assert executed.cells[number].result is None
        assert not executed.cells[number].printed


def test_encoder_stages_are_drawn(executed: Executed) -> None:
    cell = executed.cells[7]
    shapes = [line for line in cell.printed.splitlines() if line.startswith("torch.Size")]
    for shape, (name, channels), ratio in zip(
        shapes, ENCODER.items(), (16, 64, 256, 1024, 2048), strict=True
    ):
        steps = -(-FRAMES // ratio)
        assert shape == f"torch.Size([1, {channels}, {steps}])", name
    assert [title(figure) for figure in cell.figures] == list(ENCODER)
    assert [len(curves(figure)) for figure in cell.figures] == [16] * 5
    peaks = [values.max() for values in curves(cell.figures[0]).values()]
    assert peaks == sorted(peaks, reverse=True)


def test_decoder_stages_are_drawn_and_heard(executed: Executed) -> None:
    cell, out = executed.cells[9], executed.variables["out"]
    assert cell.printed.split() == list(DECODER) == list(out)
    assert [title(figure) for figure in cell.figures] == list(DECODER)
    assert len(cell.sounds) == 5
    for (name, channels), figure, sound in zip(DECODER.items(), cell.figures, cell.sounds, strict=True):
        value = out[name]
        assert value.shape[:2] == (1, channels)
        order = torch.argsort(value.amax(dim=(0, 2)), descending=True)[:16].tolist()
        drawn = curves(figure)
        assert list(drawn) == [f"channel {channel}" for channel in order]
        for channel, line in zip(order, drawn.values(), strict=True):
            # thinned or not, peaks survive
            assert line.max() == pytest.approx(float(value[0, channel].max()), rel=1e-5)
            assert line.min() == pytest.approx(float(value[0, channel].min()), rel=1e-5)
        rate = int(value.shape[-1] / FRAMES * 44100)
        assert sound.rate == 44100
        assert abs(len(sound.samples) - value.shape[-1] * 44100 / rate) <= 1
        assert np.abs(sound.samples).max() == pytest.approx(1.0, abs=1e-3)  # the player's own scale


@pytest.mark.parametrize("number", KERNEL_CELLS)
def test_kernels_are_counted_and_drawn(
    executed: Executed, weights: dict[str, torch.Tensor], number: int
) -> None:
    cell = executed.cells[number]
    assert cell.printed.split() == LAYERS
    counts, grids = cell.figures[::2], cell.figures[1::2]
    assert len(counts) == len(grids) == 5
    for name, count, grid in zip(LAYERS, counts, grids, strict=True):
        kernels = weights[name].reshape(-1, weights[name].shape[-1])
        (bars,) = count["data"]
        assert bars["type"] == "histogram"
        assert np.allclose(values_of(bars), kernels.norm(dim=-1).numpy(), rtol=1e-4)
        most = min(64, len(kernels))
        assert f"{most} kernels of {kernels.shape[-1]} taps" in grid["layout"]["title"]["text"]
