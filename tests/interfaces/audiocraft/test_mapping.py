"""Weights of transformers and of audiocraft, here and back: same scores, same codes, same sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from torchbend.interfaces.audiocraft import BendedAudioGen, BendedMusicGen
from torchbend.interfaces.audiocraft.names import (
    codec_from_audiocraft,
    codec_to_audiocraft,
    language_from_transformers,
    language_to_transformers,
)
from torchbend.interfaces.audiocraft.past import Past

from . import tiny

IDS = torch.tensor([[5, 6, 7, 1], [8, 1, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
CODES = torch.randint(16, (2, 4, 7), generator=torch.Generator().manual_seed(3))


def scores_of(bended: Any) -> torch.Tensor:
    words = bended.module.condition(IDS, MASK)
    return bended.module.step(CODES, Past(words, CODES.shape[-1]))  # type: ignore[no-any-return]


@pytest.fixture(scope="module", params=["transformers", "audiocraft", "explicit attention"])
def bended(request: pytest.FixtureRequest, folder: Path, audiocraft_folder: Path) -> BendedMusicGen:
    if request.param == "audiocraft":
        return BendedMusicGen(audiocraft_folder)
    return BendedMusicGen(folder, attention="explicit" if "explicit" in request.param else "fused")


@pytest.mark.shows("BendedMusicGen", "logits within 1e-5 of transformers, both layouts", model="MusicGen")
def test_scores_are_those_of_transformers(bended: BendedMusicGen, original: Any) -> None:
    flat = CODES.reshape(8, 7)
    theirs = original(input_ids=IDS, attention_mask=MASK, decoder_input_ids=flat).logits
    assert torch.allclose(scores_of(bended).reshape(8, 7, 16), theirs, atol=1e-5)


def test_steps_give_the_scores_of_the_whole(bended: BendedMusicGen) -> None:
    past = Past(bended.module.condition(IDS, MASK), CODES.shape[-1])
    parts = []
    for begin, end in ((0, 3), (3, 4), (4, 5), (5, 7)):
        parts.append(bended.module.step(CODES[..., begin:end], past))
        past.length = end
    assert torch.allclose(torch.cat(parts, 2), scores_of(bended), atol=1e-5)


@pytest.mark.shows("BendedMusicGen", "encode and decode (equal to transformers)", model="MusicGen")
def test_codes_and_sound_are_those_of_transformers(bended: BendedMusicGen, original: Any) -> None:
    sound = torch.randn(2, 1, 10 * tiny.HOP, generator=torch.Generator().manual_seed(1))
    codes = bended.module.encode(sound)
    theirs = original.audio_encoder.encode(sound, bandwidth=0.18).audio_codes[0]
    assert codes.unique().numel() > 4
    assert torch.equal(codes, theirs)
    assert torch.equal(bended.module.decode(codes), original.audio_encoder.decode(codes[None], [None])[0])


@pytest.mark.shows("BendedMusicGen", "checkpoint names both ways", model="MusicGen")
def test_names_go_both_ways(original: Any, bended: BendedMusicGen) -> None:
    weights = original.state_dict()
    here = language_from_transformers(weights)
    assert here.keys() == tiny.language(weights).keys() == bended.module.lm.state_dict().keys()
    back = language_to_transformers(here)
    parts = ("decoder.", "enc_to_dec_proj.")
    assert {n for n in weights if n.startswith(parts)} == back.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in back.items())
    codec = original.audio_encoder.state_dict()
    theirs = codec_to_audiocraft(codec)
    assert theirs.keys() == tiny.codec(original.audio_encoder).keys()
    assert all(torch.equal(codec[name], tensor) for name, tensor in codec_from_audiocraft(theirs).items())
    assert codec_from_audiocraft(theirs).keys() == codec.keys()


def test_old_names_of_normalised_weights_are_read() -> None:
    found = codec_from_audiocraft({"encoder.layers.0.conv.weight_g": IDS, "decoder.layers.3.conv.bias": MASK})
    assert list(found) == [
        "encoder.layers.0.conv.parametrizations.weight.original0",
        "decoder.layers.3.conv.bias",
    ]


def test_what_the_configuration_says_counts(tmp_path: Path) -> None:
    original = tiny.model(pad_mode="constant", seed=4)
    bended = BendedAudioGen.load(tiny.save_audiocraft(original, tmp_path, longest=5.0))
    assert bended.longest == 5.0 and bended.duration == 10.0
    sound = torch.randn(1, 1, 6 * tiny.HOP)
    assert torch.equal(
        bended.module.encode(sound), original.audio_encoder.encode(sound, bandwidth=0.18).audio_codes[0]
    )


@pytest.mark.shows("BendedMusicGen", "stereo", model="MusicGen")
def test_stereo_is_two_signals_in_turn(tmp_path: Path) -> None:
    original = tiny.model(channels=2)
    bended = BendedMusicGen(tiny.save(original, tmp_path))
    bended.set_generation_params(duration=1.0, use_sampling=False)
    sound, codes = bended.generate(["abc"], return_tokens=True)
    assert sound.shape == (1, 2, tiny.RATE) and codes.shape == (1, 8, 10)
    left, right = (original.audio_encoder.decode(codes[None, :, k::2], [None])[0] for k in (0, 1))
    assert torch.allclose(sound, torch.cat([left, right], 1), atol=1e-6)
    assert not torch.equal(left, right)
    stream = torch.cat(list(bended.stream(["abc"], block=0.3)), -1)
    assert torch.allclose(stream, sound, atol=1e-6)
    again = bended.module.encode(torch.cat([left, right], 1))
    assert torch.equal(again[:, 0::2], bended.module.compression_model.encode(left))
