"""Codecs in blocks: put together, the same as the whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import torchbend as tb
from torchbend.errors import CallbackError, StreamError
from torchbend.interfaces.codec import BendedCodec

Codecs = dict[str, BendedCodec]
Sound = Callable[..., Tensor]


@pytest.mark.shows("BendedCodec", "streaming equals the whole", model="EnCodec 24 kHz, DAC")
@pytest.mark.parametrize(
    ("kind", "block"),
    [("encodec", size) for size in (100, 320, 777, 3000, 12800)]
    + [("dac", size) for size in (777, 3000, 12800)],
)
def test_any_size_of_blocks(codecs: Codecs, sound: Sound, kind: str, block: int) -> None:
    codec = codecs[kind]
    codec.bend(tb.Scale(0.8), "decoder.*weight$")
    frames = 10 if block < 700 else 40
    x = sound(codec, frames, 2)
    codes, whole = codec.encode(x), codec(x)
    codec.stream(batch=2)
    pieces = [codec.encode(part) for part in x.split(block, -1)]
    late = 0 if kind == "encodec" else codec.delay() // codec.ratio
    streamed = torch.cat(pieces, -1)
    assert streamed.shape[-1] >= frames - late and torch.equal(streamed, codes[..., : streamed.shape[-1]])
    codec.stream(batch=2)
    sounds = torch.cat([*(codec(part) for part in x.split(block, -1)), codec.flush()], -1)
    assert abs(sounds.shape[-1] - x.shape[-1]) < 10 and float(whole.std()) > 0.005
    assert float((sounds - whole[..., : sounds.shape[-1]]).abs().max()) < 1e-5
    assert torch.equal(codec(x), whole)


@pytest.mark.parametrize("kind", ["encodec", "dac"])
def test_codes_and_latents_in_blocks(codecs: Codecs, sound: Sound, kind: str) -> None:
    codec = codecs[kind]
    codes = codec.encode(sound(codec, 40))
    whole = codec.decode(codes)
    for size in (40, 7) if kind == "dac" else (1, 3, 40):
        codec.stream()
        made = torch.cat([*(codec.decode(part) for part in codes.split(size, -1)), codec.flush()], -1)
        assert made.shape == whole.shape and torch.allclose(made, whole, atol=1e-5)
        codec.stream()
        z = codec.latents(codes)
        made = torch.cat([*(codec.decode_latents(part) for part in z.split(size, -1)), codec.flush()], -1)
        assert torch.allclose(made, whole, atol=1e-5)
        codec.offline()


def test_a_stream_shorter_than_its_beginning(codecs: Codecs, sound: Sound) -> None:
    codec = codecs["encodec"]
    x = sound(codec, 3)
    whole = codec(x)
    codec.stream()
    assert codec(x).shape == (1, 1, 0)
    assert torch.allclose(codec.flush(), whole, atol=1e-5)


def test_encodec_is_not_late_and_a_control_counts_at_once(codecs: Codecs, sound: Sound) -> None:
    codec = codecs["encodec"]
    level = tb.BendingParameter("level", 1.0)
    codec.bend(tb.Scale(level), "decode:decoder_layers_15_conv$")
    x = sound(codec, 20)
    codec.stream()
    first = codec(x[..., : 10 * 320])
    codec.update("level", 0.0)
    assert first.shape[-1] == 3200 and bool(first.any())
    assert not bool(codec(x[..., 10 * 320 :]).any()) and codec.delay() == 0


@pytest.mark.parametrize("kind", ["encodec", "dac"])
def test_a_block_that_fails_is_as_if_it_had_not_been_played(codecs: Codecs, sound: Sound, kind: str) -> None:
    codec, failing = codecs[kind], list[bool]()

    def bent(y: Tensor) -> Tensor:
        if failing:
            raise ValueError("this one fails")
        return y

    codec.bend(tb.Lambda(bent), f"decode:decoder_{'layers_15_conv' if kind == 'encodec' else 'conv2'}$")
    first, second = sound(codec, 60).tensor_split(2, -1)
    whole = codec(torch.cat([first, second], -1))
    codec.stream()
    begun = codec(first)
    failing.append(True)
    with pytest.raises(CallbackError, match="this one fails"):
        codec(second)
    failing.clear()
    made = torch.cat([begun, codec(second), codec.flush()], -1)
    assert torch.allclose(made, whole[..., : made.shape[-1]], atol=1e-5)


def test_the_end_of_a_stream_of_which_only_codes_were_taken(codecs: Codecs, sound: Sound) -> None:
    codec = codecs["encodec"]
    codec.stream()
    assert codec.encode(sound(codec, 10)).shape == (1, 8, 10)
    assert codec.flush().shape == (1, 1, 0)


def test_streams_that_cannot_be(codecs: Codecs, sound: Sound) -> None:
    codec = codecs["encodec"]
    with pytest.raises(StreamError, match="nothing is playing"):
        codec.flush()
    with pytest.raises(StreamError, match="at least"):
        codec.stream(batch=0)
    codec.stream(batch=1)
    codec.encode(sound(codec, 8))
    with pytest.raises(StreamError, match="does not go on"):
        codec.encode(sound(codec, 8, 2))
    with pytest.raises(StreamError, match="cannot be played in blocks"):
        codecs["encodec-48khz"].delay()
