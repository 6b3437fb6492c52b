"""Codecs, bent: weights, activations, back again; and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import torchbend as tb
from torchbend.audio import read_audio, write_audio
from torchbend.errors import AudioFileError, GenerationError, NonFiniteError, ShapeError, StreamError
from torchbend.interfaces.codec import BendedCodec, tiny_codec

Codecs = dict[str, BendedCodec]
Sound = Callable[..., Tensor]


@pytest.mark.shows("BendedCodec", "bend weights", model="EnCodec, DAC")
@pytest.mark.parametrize(
    ("kind", "weight"),
    [("encodec", "decoder.layers.3.conv.weight"), ("dac", "decoder.block.1.conv_t1.weight")],
)
def test_a_bent_weight_is_a_weight_set_by_hand(codecs: Codecs, sound: Sound, kind: str, weight: str) -> None:
    codec = codecs[kind]
    x = sound(codec)
    plain = codec(x)
    codec.bend(tb.Scale(0.5), weight + "$")
    bent = codec(x)
    by_hand = BendedCodec(tiny_codec(kind))  # type: ignore[arg-type]
    with torch.no_grad():
        by_hand.module.get_parameter(weight).mul_(0.5)
    assert torch.equal(bent, by_hand(x)) and not torch.equal(bent, plain)


def test_parts_of_normalised_weights_that_a_bend_takes_away_are_silent_and_not_nan(sound: Sound) -> None:
    codec = BendedCodec.tiny(weight_norm=True)
    x = sound(codec, 12)
    plain = codec(x)
    codec.bend(tb.Scale(0.0), r"decoder\.layers\.15\.conv\.parametrizations\.weight\.original1$")
    silent = codec(x)
    bias = codec.module.get_parameter("decoder.layers.15.conv.bias")
    assert torch.allclose(silent, bias.expand_as(silent))
    codec.reset()
    codec.bend(tb.Mask(0.3, seed=1, dim=0), r"decoder.*original[01]$")
    assert bool(codec(x).isfinite().all())
    codec.reset()
    assert torch.equal(codec(x), plain)


def test_a_bent_codebook_is_a_codebook_set_by_hand(codecs: Codecs, sound: Sound) -> None:
    codec = codecs["encodec"]
    x = sound(codec)
    codes = codec.encode(x)
    codec.bend(tb.Scale(2.0), r"quantizer\.layers\.0\.codebook\.embed$", buffers=True)
    by_hand = BendedCodec(tiny_codec())
    by_hand.module.get_buffer("quantizer.layers.0.codebook.embed").mul_(2.0)
    assert torch.equal(codec.latents(codes), by_hand.latents(codes))


@pytest.mark.shows("BendedCodec", "bend activations", model="EnCodec, DAC")
@pytest.mark.parametrize(("kind", "site"), [("encodec", "decoder_layers_15_conv"), ("dac", "decoder_conv2")])
def test_bent_activations(codecs: Codecs, sound: Sound, kind: str, site: str) -> None:
    codec = codecs[kind]
    x = sound(codec)
    codes = codec.encode(x)
    z = codec.latents(codes)
    codec.bend(tb.Scale(0.0), f"decode:{site}$")
    assert not bool(codec.decode(codes).any()) and not bool(codec(x).any())
    assert not bool(codec.decode_latents(z).any())
    codec.reset()
    codec.bend(tb.Scale(0.0), "encode:encoder_.*conv.*")
    assert not torch.equal(codec.encode(x), codes)
    codec.reset()
    codec.bend(tb.Scale(-1.0), "quantize:z$")
    assert torch.equal(codec.quantize(z), codec.module.quantize(-z))  # type: ignore[operator]


@pytest.mark.shows("BendedCodec", "reset is bit-identical", model="EnCodec, DAC")
@pytest.mark.parametrize("kind", ["encodec", "encodec-48khz", "dac"])
def test_reset(codecs: Codecs, sound: Sound, kind: str) -> None:
    codec = codecs[kind]
    x = sound(codec)
    plain = codec(x)
    codec.bend(tb.Mask(0.5, seed=1), r"decoder\..*weight$")
    assert not torch.equal(codec(x), plain)
    codec.reset()
    assert torch.equal(codec(x), plain)


@pytest.mark.shows("BendedCodec", "render a sound file", model="EnCodec")
def test_render(codecs: Codecs, sound: Sound, tmp_path: Path) -> None:
    codec = codecs["encodec"]
    write_audio(tmp_path / "in.wav", sound(codec)[0], 24000)
    codec.bend(tb.Scale(0.5), r"decoder\.layers\.6\.conv\.weight$")
    assert codec.render(tmp_path / "out.wav", [str(tmp_path / "in.wav")], codebooks=2) == tmp_path / "out.wav"
    made, rate = read_audio(tmp_path / "out.wav")
    wanted = codec(tmp_path / "in.wav", codebooks=2)[0].clamp(-1, 1)
    assert rate == 24000 and torch.allclose(made, wanted, atol=2e-4)
    with pytest.raises(GenerationError, match="one sound file"):
        codec.render(tmp_path / "out.wav", ["a.wav", "b.wav"])


@pytest.mark.parametrize(
    "wrong",
    [
        torch.full((1, 8, 4), 64),
        torch.full((1, 8, 4), -1),
        torch.zeros(1, 9, 4, dtype=torch.long),
        torch.zeros(1, 0, 4, dtype=torch.long),
        torch.zeros(1, 8, 4),
        torch.zeros(4, dtype=torch.long),
        [[1, 2]],
    ],
)
def test_what_are_no_codes_is_told(codecs: Codecs, wrong: Any) -> None:
    for verb in (codecs["encodec"].decode, codecs["encodec"].latents):
        with pytest.raises(GenerationError, match="0 to 63"):
            verb(wrong)


def test_bad_input_is_told(codecs: Codecs, sound: Sound) -> None:
    codec, stereo = codecs["encodec"], codecs["encodec-48khz"]
    for x in (torch.zeros(1, 2, 500), torch.zeros(1, 1, 0)):
        with pytest.raises(ShapeError, match="sound of this codec"):
            codec.encode(x)
    with pytest.raises(NonFiniteError):
        codec.encode(torch.full((1, 1, 500), float("inf")))
    with pytest.raises(AudioFileError, match="44100"):
        codec(sound(codec), sample_rate=44100)
    with pytest.raises(ShapeError, match="32768"):
        codec((sound(codec) * 32767).to(torch.int16))
    assert not stereo(sound(stereo).requires_grad_()).requires_grad
    assert codec.encode(sound(codec), bandwidth=float("inf")).shape[1] == 8
    with pytest.raises(NonFiniteError):
        codec.decode_latents(torch.full((1, 16, 5), float("nan")))
    with pytest.raises(ShapeError, match="latents"):
        codec.quantize(torch.zeros(1, 17, 5))
    for options in (
        {"codebooks": 9},
        {"codebooks": 0},
        {"bandwidth": 0.1},
        {"bandwidth": 1.0, "codebooks": 1},
    ):
        with pytest.raises(GenerationError):
            codec.encode(sound(codec), **options)
    codes = stereo.encode(sound(stereo))
    with pytest.raises(ShapeError, match="loudness"):
        stereo.decode(codes, torch.ones(1, 7))
    assert codec.decode(torch.zeros(1, 8, 0, dtype=torch.long)).shape == (1, 1, 0)
    with pytest.raises(StreamError, match="cannot be played in blocks"):
        stereo.stream()
    assert stereo.encode(sound(codec)).shape[1] == 4  # one channel is repeated


def test_what_it_tells_of_itself(codecs: Codecs) -> None:
    codec = codecs["encodec"]
    assert (codec.sample_rate, codec.ratio, codec.frame_rate, codec.codes) == (24000, 320, 75.0, 64)
    assert (codec.codebooks, codec.bandwidth, codec.latent_size, codec.channels) == (8, 3.6, 16, 1)
    assert "EnCodec, 24000 Hz, mono, 8 of 8 codebooks" in repr(codec)
    assert codec.bent_methods == ["encode", "quantize", "latents", "decode"]
    assert {"encode", "decode", "latents", "quantize", "decode_latents", "stream", "flush"} <= set(
        codec.verbs
    )
    assert BendedCodec.tiny(bandwidth=1.0).codebooks == 2
