"""Codecs and vocoders on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from torchbend.audio import read_audio, write_audio
from torchbend.cli.main import app


@pytest.mark.shows("BendedCodec", "render from the command line", model="EnCodec")
@pytest.mark.shows("BendedVocoder", "render from the command line", model="HiFi-GAN")
@pytest.mark.parametrize(
    ("model", "bend", "rate"),
    [
        ("codec:tiny", "Scale(0.0)@decode:decoder_layers_15_conv$", 24000),
        ("vocoder:tiny", "Scale(0.0)@decode:generator_conv_post$", 22050),
    ],
)
def test_render(model: str, bend: str, rate: int, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav", 0.3 * torch.randn(1, 4000), rate)
    command = ["render", model, str(tmp_path / "in.wav"), "--out", str(tmp_path / "out.wav")]
    for extra, silent in (([], False), (["--bend", bend], True)):
        result = CliRunner().invoke(app, [*command, *extra])
        assert result.exit_code == 0, result.output
        made, at = read_audio(tmp_path / "out.wav")
        assert at == rate and made.shape == (1, 4000) and bool(made.any()) != silent
