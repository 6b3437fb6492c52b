"""Codes and sound are those of transformers' own models, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from torchbend.errors import CheckpointError, WeightsFileError
from torchbend.interfaces.codec import BendedCodec

Codecs = dict[str, BendedCodec]
Sound = Callable[..., Tensor]


@pytest.mark.shows("BendedCodec", "encode and decode", model="EnCodec 24 kHz")
@pytest.mark.parametrize("frames", [30, 12.7, 0.3])
@pytest.mark.parametrize("bandwidth", [0.45, 1.8, 3.6])
def test_encodec(
    codecs: Codecs, originals: dict[str, Any], sound: Sound, frames: float, bandwidth: float
) -> None:
    codec, original = codecs["encodec"], originals["encodec"]
    x = sound(codec, frames, 2)
    with torch.no_grad():
        theirs = original.encode(x, bandwidth=bandwidth)
        back = original.decode(theirs.audio_codes, theirs.audio_scales)[0]
        there_and_back = original(x, bandwidth=bandwidth).audio_values
    codes = codec.encode(x, bandwidth=bandwidth)
    assert torch.equal(codes, theirs.audio_codes[0]) and torch.equal(codec.decode(codes), back)
    assert torch.equal(codec(x, bandwidth=bandwidth), there_and_back)
    assert (len(codes.unique()) > 1 or frames < 1) and float(back.std()) > 0.01


@pytest.mark.shows("BendedCodec", "encode and decode", model="EnCodec 48 kHz")
@pytest.mark.parametrize("frames", [20, 12.7, 0.3, 47.3])
def test_pieces_at_the_same_loudness(
    codecs: Codecs, originals: dict[str, Any], sound: Sound, frames: float
) -> None:
    codec, original = codecs["encodec-48khz"], originals["encodec-48khz"]
    x = sound(codec, frames, 2)
    with torch.no_grad():
        theirs = original.encode(x, bandwidth=3.6)
        wanted = original.decode(
            theirs.audio_codes, theirs.audio_scales, last_frame_pad_length=theirs.last_frame_pad_length
        )[0]
    codes, scales = codec.encode(x, return_scales=True)
    apart = torch.cat(list(theirs.audio_codes), -1)
    assert torch.equal(codes, apart[..., : codes.shape[-1]])
    assert torch.equal(scales, torch.cat(theirs.audio_scales, -1))
    assert torch.equal(codec.decode(codes, scales), wanted)
    assert torch.equal(codec(x), wanted[..., : x.shape[-1]])
    assert not torch.equal(codec.decode(codes), wanted)  # all pieces at the same loudness


@pytest.mark.shows("BendedCodec", "encode and decode", model="DAC")
@pytest.mark.parametrize("codebooks", [1, 3, 4])
def test_dac(codecs: Codecs, originals: dict[str, Any], sound: Sound, codebooks: int) -> None:
    codec, original = codecs["dac"], originals["dac"]
    x = sound(codec, 25, 2)
    with torch.no_grad():
        theirs = original.encode(x, n_quantizers=codebooks)
        back = original.decode(audio_codes=theirs.audio_codes).audio_values
        latents = original.quantizer.from_codes(theirs.audio_codes)[0]
    codes = codec.encode(x, codebooks=codebooks)
    assert torch.equal(codes, theirs.audio_codes) and torch.equal(codec.latents(codes), latents)
    assert torch.equal(codec.decode(codes)[:, 0], back)
    assert len(codes.unique()) > 3 * codebooks and float(back.std()) > 0.01
    assert codec(x[..., :-7]).shape == (2, 1, x.shape[-1] - 7) and codec(x).shape == x.shape


@pytest.mark.parametrize("kind", ["encodec", "encodec-48khz", "dac"])
@pytest.mark.shows("BendedCodec", "latents, quantize, decode_latents", model="EnCodec, DAC")
def test_codes_as_latents(codecs: Codecs, sound: Sound, kind: str) -> None:
    codec = codecs[kind]
    codes = codec.encode(sound(codec))
    z = codec.latents(codes)
    assert z.shape == (1, codec.latent_size, codes.shape[-1])
    assert torch.equal(codec.decode_latents(z), codec.decode(codes))
    first = codec.latents(codes[:, :1])
    if kind != "dac":  # whose vectors go through a smaller space, which only training makes fit
        assert torch.equal(codec.quantize(first, codebooks=1), codes[:, :1])
    assert not torch.equal(codec.decode_latents(1.5 * z), codec.decode(codes))
    assert torch.equal(codec.quantize(z)[:, :2], codec.quantize(z, codebooks=2))


@pytest.mark.shows("BendedCodec", "load from a folder", model="EnCodec, DAC")
@pytest.mark.parametrize("kind", ["encodec", "encodec-48khz", "dac"])
def test_a_folder(codecs: Codecs, originals: dict[str, Any], sound: Sound, tmp_path: Path, kind: str) -> None:
    originals[kind].save_pretrained(tmp_path)
    loaded = BendedCodec(tmp_path, codebooks=2)
    x = sound(loaded)
    assert torch.equal(loaded.encode(x), codecs[kind].encode(x, codebooks=2))
    assert loaded.codebooks == 2 and loaded.most_codebooks == codecs[kind].most_codebooks
    kept = BendedCodec(tmp_path, weight_norm=True)
    assert torch.equal(kept(x), codecs[kind](x))
    parts = [name for name in kept.weight_names if "original1" in name]
    assert bool(parts) == (kind == "encodec") and not [n for n in loaded.weight_names if "original" in n]


@pytest.mark.shows("BendedCodec", "load by hub name", model="EnCodec")
def test_a_hub_name_out_of_the_cache(
    originals: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "models--facebook--encodec_24khz"
    originals["encodec"].save_pretrained(home / "snapshots" / "abc")
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert BendedCodec("facebook/encodec_24khz", tmp_path).sample_rate == 24000


def test_what_is_no_codec_is_refused(originals: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no codec"):
        BendedCodec(torch.nn.Tanh())
    with pytest.raises(CheckpointError, match="no such folder"):
        BendedCodec(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(CheckpointError, match="gpt2"):
        BendedCodec(tmp_path)
    originals["encodec"].save_pretrained(tmp_path)
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace('"num_filters": 4', '"num_filters": 8'))
    with pytest.raises(WeightsFileError, match="do not fit"):
        BendedCodec(tmp_path)
    (tmp_path / "config.json").write_text(config.replace('"weight_norm"', '"spectral"'))
    with pytest.raises(CheckpointError, match="cannot work"):
        BendedCodec(tmp_path)
