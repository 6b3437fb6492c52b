"""Resampling keeps what the lower rate can hold and removes the rest."""

import math

import pytest
import torch

from torchbend.audio import resample
from torchbend.errors import TorchbendError


def tone(frequency, rate, seconds=1.0):
    t = torch.arange(round(rate * seconds), dtype=torch.float64) / rate
    return torch.sin(2 * math.pi * frequency * t)


def level_db(x):
    """Power of the middle part, where the signal's ends do not reach, relative to a full-scale sine."""
    middle = x[..., x.shape[-1] // 4 : -x.shape[-1] // 4].double()
    return 10 * math.log10(max(2 * middle.square().mean().item(), 1e-30))


@pytest.mark.parametrize(("start", "end"), [(44100, 48000), (48000, 44100), (44100, 16000), (16000, 44100)])
@pytest.mark.parametrize("part", [0.01, 0.3, 0.6, 0.9])
def test_a_tone_below_nyquist_keeps_its_level(start, end, part):
    frequency = part * min(start, end) / 2
    assert level_db(resample(tone(frequency, start).float(), start, end)) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("start", "end"), [(48000, 44100), (44100, 16000)])
@pytest.mark.parametrize("part", [1.02, 1.08])
def test_a_tone_above_nyquist_is_removed(start, end, part, dtype):
    frequency = part * end / 2
    assert level_db(resample(tone(frequency, start).to(dtype), start, end)) < -100


def test_a_resampled_tone_is_the_tone_itself():
    x, y = tone(997.0, 44100), tone(997.0, 48000)
    found = resample(x, 44100, 48000)
    error = level_db(found - y)
    assert error < -100


def test_equal_rates_give_the_tensor_itself():
    x = torch.randn(2, 5)
    assert resample(x, 44100, 44100.0) is x


@pytest.mark.parametrize("shape", [(100,), (2, 100), (3, 1, 2, 101), (0, 100), (2, 0), (1, 1)])
@pytest.mark.parametrize(("start", "end"), [(44100, 48000), (3, 2), (22050, 44100)])
def test_leading_dimensions_and_length_follow_the_rule(shape, start, end):
    assert resample(torch.randn(shape), start, end).shape == (*shape[:-1], round(shape[-1] * end / start))


def test_rows_are_independent_and_strides_do_not_matter():
    x = torch.randn(400, 3, 2).permute(1, 2, 0)
    found = resample(x, 44100, 22050)
    assert torch.equal(found[2, 1], resample(x[2, 1].contiguous(), 44100, 22050))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_type_is_kept_and_the_input_untouched(dtype):
    x = torch.randn(2, 300).to(dtype).requires_grad_()
    before = x.detach().clone()
    found = resample(x, 2, 3)
    assert found.dtype == dtype
    assert not found.requires_grad
    assert torch.equal(x.detach(), before)


@pytest.mark.parametrize(
    ("x", "rates"),
    [
        (torch.zeros(3), (0, 1)),
        (torch.zeros(3), (1, -1)),
        (torch.zeros(3), (math.nan, 1)),
        (torch.zeros(3).int(), (1, 2)),
        (torch.tensor(0.0), (1, 2)),
    ],
)
def test_what_cannot_be_resampled_is_refused(x, rates):
    with pytest.raises(TorchbendError, match="cannot resample"):
        resample(x, *rates)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_device_is_kept():
    assert resample(torch.zeros(10, device="cuda"), 1, 2).device.type == "cuda"
