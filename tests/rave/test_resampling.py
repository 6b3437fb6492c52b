"""Resampling by whole numbers: what comes back, what is kept, and how late a stream is."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from torchbend.errors import RAVEConfigError
from torchbend.rave import RAVE, preset
from torchbend.rave.resampling import Resampling

RATIOS = [2, 3, 4]


def decibels(error: Tensor, signal: Tensor) -> float:
    return 10 * math.log10(float(signal.double().square().mean() / error.double().square().mean()))


def music(ratio: int, length: int = 4096, channels: int = 1) -> Tensor:
    """Sines up to 0.8 of the lower rate's Nyquist frequency, with random phases."""
    steps = torch.arange(length, dtype=torch.float64)
    omegas = torch.linspace(0.01, 0.8 * math.pi, 23, dtype=torch.float64)[:, None]
    phases = 6.28 * torch.rand(channels, 1, 23, 1, dtype=torch.float64)
    return (0.1 * torch.sin(omegas * steps + phases)).sum(-2).float().reshape(1, channels, length)


def inner(x: Tensor, border: int = 400) -> Tensor:
    return x[..., border:-border]


@pytest.mark.parametrize("ratio", RATIOS)
def test_down_after_up_is_what_there_was(ratio: int) -> None:
    resampling, x = Resampling(ratio), music(ratio)
    y = resampling.up(x)
    assert y.shape == (1, 1, ratio * 4096)
    back = resampling.down(y)
    assert back.shape == x.shape
    assert decibels(inner(back - x), inner(x)) >= 100


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_sine_keeps_its_frequency_its_level_and_its_place(ratio: int) -> None:
    rate, frequency = 22050 * ratio, 1000.0
    fast = torch.sin(2 * math.pi * frequency / rate * torch.arange(ratio * 8192).double())[None, None]
    slow = torch.sin(2 * math.pi * frequency / 22050 * torch.arange(8192).double())[None, None]
    fast, slow = fast.float(), slow.float()
    resampling = Resampling(ratio)
    assert decibels(inner(resampling.down(fast) - slow), inner(slow)) >= 100
    assert decibels(inner(resampling.up(slow) - fast, 400 * ratio), inner(fast, 400 * ratio)) >= 100


@pytest.mark.parametrize("ratio", RATIOS)
def test_what_the_lower_rate_cannot_hold_is_gone(ratio: int) -> None:
    above = torch.sin(1.3 * math.pi / ratio * torch.arange(ratio * 4096).double()).float()[None, None]
    assert float(inner(Resampling(ratio).down(above)).abs().max()) < 1e-6
    steady = torch.ones(1, 1, 4096)
    up = inner(Resampling(ratio).up(steady), 400 * ratio)
    assert float((up - 1).abs().max()) < 1e-5


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("sizes", [(64,), (8,), (8, 64, 16, 1, 128)])
def test_a_stream_is_the_whole_signal_late_by_what_is_told(ratio: int, sizes: tuple[int, ...]) -> None:
    resampling = Resampling(ratio)
    fast, slow = torch.randn(1, 1, ratio * 2048), torch.randn(1, 1, 2048)
    wanted_down, wanted_up = resampling.down(fast), resampling.up(slow)
    resampling.open(1)
    down, up = resampling.delays
    assert down % ratio == 0 and down > 0 and up > 0
    got_down, got_up, place, turn = [], [], 0, 0
    while place < 2048:
        end = min(place + sizes[turn % len(sizes)], 2048)
        got_down.append(resampling.down(fast[..., ratio * place : ratio * end]))
        got_up.append(resampling.up(slow[..., place:end]))
        place, turn = end, turn + 1
    late = down // ratio
    stream = torch.cat(got_down, -1)
    assert torch.allclose(stream[..., late:], wanted_down[..., : 2048 - late], atol=1e-5)
    stream = torch.cat(got_up, -1)
    assert torch.allclose(stream[..., up:], wanted_up[..., : ratio * 2048 - up], atol=1e-5)


def test_channels_and_rows_are_resampled_by_themselves() -> None:
    resampling, x = Resampling(2, channels=2), torch.randn(3, 2, 512)
    single = Resampling(2)
    down, up = resampling.down(x), resampling.up(x)
    assert down.shape == (3, 2, 256) and up.shape == (3, 2, 1024)
    for row in range(3):
        for side in range(2):
            alone = x[row : row + 1, side : side + 1]
            assert torch.allclose(down[row, side], single.down(alone)[0, 0], atol=1e-6)
            assert torch.allclose(up[row, side], single.up(alone)[0, 0], atol=1e-6)


@pytest.mark.parametrize("ratio", [1, 0, -2, 1.5])
def test_other_factors_are_refused(ratio: float) -> None:
    with pytest.raises(RAVEConfigError, match="whole number"):
        Resampling(ratio)  # type: ignore[arg-type]


@pytest.mark.parametrize("late", [0, 1, 5, 16, 40])
def test_a_model_whose_audio_is_late_already_gives_the_same_latents(late: int) -> None:
    model = _small("brave")
    frames, ratio = 96, model.ratio
    x = 0.3 * torch.randn(1, 1, frames * ratio)
    with torch.no_grad():
        wanted = model.latents(x)
        model.stream(late=late)
        got = model.latents(torch.nn.functional.pad(x, (late, 0))[..., : frames * ratio])
        told = model.delay("encode", late=late)
    assert told % ratio == 0 and told >= late
    after = int(told) // ratio
    half = frames // 2
    difference = (wanted[..., half : frames - after] - got[..., half + after :]).abs().max()
    assert float(difference) <= 1e-4 * float(wanted.std())


def test_several_channels_stream_in_each_row_of_a_batch() -> None:
    model = _small("v1", channels=2)
    x = 0.3 * torch.randn(2, 2, 4 * model.ratio)
    with torch.no_grad():
        model.stream(batch=2)
        together = model.encode(x)
        for row in range(2):
            model.stream(batch=1)
            assert torch.allclose(model.encode(x[row : row + 1]), together[row : row + 1], atol=1e-5)


def _small(name: str, **more: int) -> RAVE:
    torch.manual_seed(0)
    model = RAVE(preset(name, capacity=4, latent_size=8, **more)).eval().requires_grad_(False)
    for layer in model.modules():
        if hasattr(layer, "weight_g"):
            layer.weight_g.mul_(2.0)
    model.encoder.samples = False
    return model
