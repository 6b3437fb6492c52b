"""Codecs on stage: what was exported plays as the live one, with bends, at any size of blocks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import torchbend as tb
from torchbend.errors import ExportError
from torchbend.interfaces.codec import BendedCodec
from torchbend.interfaces.codec.stage import on_stage, played_codec

Codecs = dict[str, BendedCodec]
HOP = 320


@pytest.mark.shows("BendedCodec", "export to nn~", model="EnCodec 24 kHz, DAC")
@pytest.mark.parametrize(
    ("kind", "site", "late"),
    [
        pytest.param("encodec", "layers_15_conv", 0, id="encodec"),
        pytest.param("dac", "conv2", 21 * HOP, id="dac", marks=pytest.mark.slow),
    ],
)
def test_the_file_is_the_live_codec_bent(
    codecs: Codecs, tmp_path: Path, kind: str, site: str, late: int
) -> None:
    codec = codecs[kind]
    level = tb.BendingParameter("level", 1.0, range=[0.0, 2.0])
    codec.bend(tb.Scale(level), f"decode:decoder_{site}$")
    codec.bend(tb.Scale(level), r"decoder.*3.*conv.*weight$")
    codec.export(tmp_path / "codec.ts", codebooks=3, patches=False, warm_up=False)
    facts = json.loads((tmp_path / "codec.json").read_text())
    assert facts["methods"] == {"forward": [1, 1, 1, 1], "encode": [1, 1, 3, 64], "decode": [3, 64, 1, 1]}
    assert facts["delays"]["forward"] == HOP + late and facts["sample_rate"] == codec.sample_rate
    numbers = torch.Generator().manual_seed(0)
    sound = 0.3 * torch.randn(2, 1, 16 * HOP, generator=numbers)
    codes = torch.randint(0, 64, (2, 3, 16), generator=numbers).float().repeat_interleave(5, -1)
    codec.update("level", 0.5)  # the file was written at 1
    for method, x, block in (("forward", sound, 1024), ("encode", sound, 256), ("decode", codes, 16)):
        file = torch.jit.load(tmp_path / "codec.ts").eval()
        assert file.get_methods() == ["forward", "encode", "decode"] and file.set_level(0.5) == 0
        with codec._using(3), on_stage(codec._codec, 2), torch.inference_mode():
            live = played_codec(codec._engine, codec._codec, 2)[0][method].call
            whole = x.shape[-1] // 2
            wanted = torch.cat([live(part) for part in x.split(whole, -1)], -1)
            with torch.jit.optimized_execution(False):  # its preparations take longer than these blocks
                made = torch.cat([getattr(file, method)(part) for part in x.split(block, -1)], -1)
        frame = 5 if method == "encode" else HOP
        assert not bool(made[..., :frame].any()) and float(wanted.std()) > 0.005
        assert float((made[..., frame:] - wanted[..., :-frame]).abs().max()) < 1e-5


def test_after_its_start_the_stage_hears_what_the_codec_hears(codecs: Codecs) -> None:
    codec = codecs["dac"]
    sound = 0.3 * torch.randn(1, 1, 60 * HOP, generator=torch.Generator().manual_seed(1))
    with on_stage(codec._codec, 1), torch.no_grad():
        live = played_codec(codec._engine, codec._codec, 1)[0]["forward"].call
        made = torch.cat([live(part) for part in sound.split(10 * HOP, -1)], -1)[..., codec.delay() :]
    whole = codec(sound)[..., : made.shape[-1]]
    start = codec.delay()  # so far reaches the silence that a host begins with
    assert torch.allclose(made[..., start:], whole[..., start:], atol=1e-5)


def test_the_live_codec_is_left_as_it_was(codecs: Codecs) -> None:
    codec = codecs["encodec"]
    x = 0.3 * torch.randn(1, 1, 20 * HOP)
    whole = codec(x)
    codec.stream()
    first = codec(x[..., : 10 * HOP])
    with on_stage(codec._codec, 3), torch.no_grad():
        played_codec(codec._engine, codec._codec, 3)[0]["forward"].call(x.expand(3, -1, -1))
    rest = codec(x[..., 10 * HOP :])
    assert torch.allclose(torch.cat([first, rest], -1), whole, atol=1e-5)
    codec.offline()
    assert torch.equal(codec(x), whole)


def test_what_cannot_be_on_stage_is_told(codecs: Codecs, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot be played in blocks"):
        codecs["encodec-48khz"].export(tmp_path / "codec.ts")
    with pytest.raises(ExportError, match="onnx"):
        codecs["encodec"].export(tmp_path / "codec.onnx", "onnx")
    with pytest.raises(ExportError, match="at least"):
        codecs["encodec"].export(tmp_path / "codec.ts", batch=0)
    assert not list(tmp_path.iterdir())
