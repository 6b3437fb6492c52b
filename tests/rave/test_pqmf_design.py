"""The filter bank is the one that the stored checkpoints hold, and is cheap to design."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import conv1d

from torchbend.errors import RAVEConfigError
from torchbend.rave import pqmf_design
from torchbend.rave.pqmf_design import (
    analysis_weight,
    cutoff,
    kaiser_beta,
    low_pass,
    modulated,
    prototype,
    synthesis_weight,
)

RUNS = ["discrete", "v1", "v2", "v2_causal", "v2_noise", "v2_nopqmf", "v2_spherical", "v2_wasserstein", "v3"]


@pytest.mark.parametrize(
    ("bands", "attenuation", "wanted", "taps"),
    [
        (2, 100.0, 0.858203125, 49),
        (4, 100.0, 0.4298828125, 95),
        (8, 100.0, 0.21494140625, 189),
        (16, 100.0, 0.10751953125, 377),
        (32, 100.0, 0.053710937500, 753),
        (64, 100.0, 0.02685546875, 1503),
        (16, 80.0, 0.1087890625, 291),
        (16, 120.0, 0.10654296875, 463),
    ],
)
def test_the_cut_off_is_found_to_all_digits(bands: int, attenuation: float, wanted: float, taps: int) -> None:
    assert cutoff(bands, attenuation) == pytest.approx(wanted, abs=1e-14)
    assert prototype(bands, attenuation).shape == (taps,)


@pytest.mark.parametrize("name", RUNS)
def test_all_tensors_are_those_of_the_checkpoints_bit_for_bit(name: str, shared_dir: Path) -> None:
    path = shared_dir / "rave_ref" / name / "run/version_0/checkpoints/best.ckpt"
    stored = torch.load(path, weights_only=True)["state_dict"]
    h = prototype(16, 100.0)
    hk = modulated(h, 16)
    made = {
        "h": h,
        "hk": hk,
        "forward_conv.weight": analysis_weight(hk),
        "inverse_conv.weight": synthesis_weight(hk),
    }
    for key, tensor in made.items():
        assert torch.equal(tensor, stored[f"pqmf.{key}"]), key


def test_the_window_follows_kaiser_s_three_formulas() -> None:
    assert kaiser_beta(60) == pytest.approx(0.1102 * 51.3)
    assert kaiser_beta(40) == pytest.approx(0.5842 * 19**0.4 + 0.07886 * 19)
    assert kaiser_beta(21) == kaiser_beta(10) == 0


@pytest.mark.parametrize("attenuation", [30.0, 40.0, 60.0, 100.0])
def test_the_stop_band_is_as_low_as_asked(attenuation: float) -> None:
    frequency = math.pi / 16
    taps = low_pass(frequency, attenuation)
    spectrum = np.abs(np.fft.rfft(taps, 1 << 15))
    width = (attenuation - 7.95) / (2.285 * (len(taps) - 1))
    first = int((frequency + width / 2) / math.pi * (1 << 14)) + 1
    assert 20 * np.log10(spectrum[first:].max()) < -attenuation + 1.5
    assert np.array_equal(taps, taps[::-1])


@pytest.mark.parametrize(
    ("bands", "attenuation", "least"), [(16, 100.0, 55.0), (8, 100.0, 55.0), (16, 40.0, 29.0)]
)
def test_splitting_and_joining_gives_the_signal_back(bands: int, attenuation: float, least: float) -> None:
    hk = modulated(prototype(bands, attenuation), bands)
    analysis, synthesis = analysis_weight(hk), synthesis_weight(hk)
    x = torch.randn(1, 1, 4096, generator=torch.Generator().manual_seed(1))
    y = conv1d(x, analysis, stride=bands, padding=analysis.shape[-1] // 2)
    u = bands * conv1d(y, synthesis, padding=synthesis.shape[-1] // 2)
    back = u.flip(1).transpose(1, 2).reshape(1, 1, -1)
    # One frame late; the signs of odd bands, turned after analysis and again before synthesis, cancel here.
    error = back[..., 1024 + bands : 3072 + bands] - x[..., 1024:3072]
    assert -10 * math.log10(error.square().mean() / x.square().mean()) > least


def test_each_call_gives_a_tensor_of_its_own() -> None:
    prototype(16, 100.0).zero_()
    assert prototype(16, 100.0).abs().sum() > 0


def test_the_first_design_is_cheap() -> None:
    costs = []
    for _ in range(5):
        for kept in (cutoff, pqmf_design._taps, pqmf_design._window):
            kept.cache_clear()
        start = time.process_time()
        hk = modulated(prototype(16, 100.0), 16)
        analysis_weight(hk), synthesis_weight(hk)
        costs.append(time.process_time() - start)
    assert min(costs) < 0.02


@pytest.mark.parametrize("bands", [0, 1, 3, 12, -4])
def test_a_number_of_bands_that_is_no_power_of_two_is_refused(bands: int) -> None:
    with pytest.raises(RAVEConfigError, match="power of two"):
        prototype(bands, 100.0)


@pytest.mark.parametrize("attenuation", [8.0, -3.0, math.nan])
def test_an_attenuation_that_no_window_has_is_refused(attenuation: float) -> None:
    with pytest.raises(RAVEConfigError, match="attenuation"):
        prototype(16, attenuation)
