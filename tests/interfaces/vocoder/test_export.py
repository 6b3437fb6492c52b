"""A vocoder on stage: what was exported sounds like the live one, with its bends and controls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import torchbend as tb
from torchbend.interfaces.vocoder import BendedVocoder

HOP, BANDS, AROUND, EDGE = 64, 20, 7, 2


def live(vocoder: BendedVocoder, method: str, x: Tensor) -> Tensor:
    """The whole, after the nothing that a host's memory begins with, as late as the file."""
    late = {"forward": (AROUND + EDGE) * HOP, "mel": EDGE * HOP, "decode": AROUND}[method]
    given, made = (1, HOP) if method == "decode" else (HOP, 1) if method == "mel" else (1, 1)
    x = F.pad(x, (2 * late, 0))
    whole = vocoder.decode(vocoder.mel(x)) if method == "forward" else getattr(vocoder, method)(x)
    start = late * made // given
    return whole[..., start : start + (x.shape[-1] - 2 * late) * made // given]


@pytest.mark.shows("BendedVocoder", "export to nn~", model="HiFi-GAN")
def test_the_file_is_the_live_vocoder_bent(vocoder: BendedVocoder, sound: Tensor, tmp_path: Path) -> None:
    level = tb.BendingParameter("level", 1.0, range=[0.0, 2.0])
    vocoder.bend(tb.Scale(level), "decode:generator_ups_1$")
    vocoder.bend(tb.Scale(level), r"generator\.ups\.0\.weight$")
    vocoder.export(tmp_path / "voice.ts", warm_up=False)
    facts = json.loads((tmp_path / "voice.json").read_text())
    assert facts["methods"] == {
        "forward": [1, 1, 1, 1],
        "mel": [1, 1, BANDS, HOP],
        "decode": [BANDS, HOP, 1, 1],
    }
    assert facts["delays"] == {"forward": 576.0, "mel": 128.0, "decode": 448.0}
    assert facts["sample_rate"] == 22050 and (tmp_path / "voice.pd").is_file()
    sound, mel = sound[..., : 80 * HOP], vocoder.mel(sound[..., : 80 * HOP])
    vocoder.update("level", 0.25)  # the file was written at 1
    for method, x, block in (("forward", sound, 1024), ("mel", sound, 64), ("decode", mel, 5)):
        file = torch.jit.load(tmp_path / "voice.ts").eval()
        assert file.set_level(0.25) == 0
        with torch.inference_mode(), torch.jit.optimized_execution(False):  # as fast at its first blocks
            made = torch.cat([getattr(file, method)(part) for part in x.split(block, -1)], -1)
        wanted = live(vocoder, method, x)
        assert made.shape == wanted.shape and float(wanted.std()) > 0.01
        assert float((made - wanted).abs().max()) < 1e-5


def test_other_targets_take_the_whole(vocoder: BendedVocoder, tmp_path: Path) -> None:
    vocoder.bend(tb.Scale(0.5), "decode:generator_ups_1$")
    vocoder.export(tmp_path / "voice.ts", "torchscript")
    mel = torch.randn(2, BANDS, 13)
    file = torch.jit.load(tmp_path / "voice.ts")
    assert torch.allclose(file.decode(mel), vocoder.decode(mel), atol=1e-5)
