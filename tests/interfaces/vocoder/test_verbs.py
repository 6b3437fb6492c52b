"""What a vocoder does, bent and in a stream."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import torchbend as tb
from torchbend.audio import read_audio, write_audio
from torchbend.errors import (
    AudioFileError,
    CallbackError,
    GenerationError,
    NonFiniteError,
    ShapeError,
    StreamError,
)
from torchbend.interfaces.sounds import SOUND_FILES
from torchbend.interfaces.vocoder import BendedVocoder, tiny_vocoder


@pytest.mark.shows("BendedVocoder", "mel, decode, vocode", model="HiFi-GAN")
def test_a_sound_there_and_back(vocoder: BendedVocoder, sound: Tensor) -> None:
    mel = vocoder.mel(sound)
    assert mel.shape == (1, 20, 86)
    made = vocoder.decode(mel)
    assert made.shape == (1, 1, 86 * 64) and torch.equal(vocoder(mel), made)
    assert torch.equal(vocoder.vocode(sound), made[..., :5500])
    assert torch.equal(vocoder.vocode(sound[0, 0]), made[..., :5500])
    assert vocoder.vocode(sound[..., :3]).shape == (1, 1, 3)
    plain = tiny_vocoder()
    with torch.no_grad():
        assert torch.equal(plain.decode(mel), made)


@pytest.mark.shows("BendedVocoder", "bend weights", model="HiFi-GAN")
def test_a_bent_weight_is_a_weight_set_by_hand(vocoder: BendedVocoder, sound: Tensor) -> None:
    plain = vocoder.vocode(sound)
    vocoder.bend(tb.Scale(0.5), r"generator\.ups\.1\.weight$")
    bent = vocoder.vocode(sound)
    by_hand = tiny_vocoder()
    with torch.no_grad():
        by_hand.get_parameter("generator.ups.1.weight").mul_(0.5)
    assert torch.equal(bent, BendedVocoder(by_hand).vocode(sound)) and not torch.equal(bent, plain)


@pytest.mark.shows("BendedVocoder", "bend activations", model="HiFi-GAN")
def test_bent_activations(vocoder: BendedVocoder, sound: Tensor) -> None:
    plain = vocoder.decode(vocoder.mel(sound))
    vocoder.bend(tb.Scale(0.0), "decode:generator_conv_post$")
    assert not bool(vocoder.vocode(sound).any())
    vocoder.reset()
    vocoder.bend(tb.Bias(1.0), "mel:log$")
    bent = vocoder.vocode(sound)
    vocoder.reset()
    with torch.no_grad():
        assert torch.equal(bent, tiny_vocoder().decode(vocoder.mel(sound) + 1.0)[..., :5500])
    assert torch.equal(vocoder.decode(vocoder.mel(sound)), plain)


@pytest.mark.shows("BendedVocoder", "reset is bit-identical", model="HiFi-GAN")
def test_reset(vocoder: BendedVocoder, sound: Tensor) -> None:
    plain = vocoder.vocode(sound)
    vocoder.bend(tb.Mask(0.5, seed=1), r"generator\.resblocks.*weight$")
    vocoder.bend(tb.Normal(0.5, seed=1), "decode:tanh")
    assert not torch.equal(vocoder.vocode(sound), plain)
    vocoder.reset()
    assert torch.equal(vocoder.vocode(sound), plain)


@pytest.mark.shows("BendedVocoder", "streaming equals the whole", model="HiFi-GAN")
@pytest.mark.parametrize("block", [64, 777, 5000])
def test_streams(vocoder: BendedVocoder, sound: Tensor, block: int) -> None:
    vocoder.bend(tb.Scale(1.3), "decode:generator_ups_1$")
    whole, mel = vocoder.vocode(sound), vocoder.mel(sound)
    vocoder.stream()
    pieces = [vocoder.vocode(part) for part in sound.split(block, -1)]
    late = vocoder.around + 2
    assert sum(p.shape[-1] for p in pieces) == max(0, 5500 // 64 - late) * 64
    streamed = torch.cat([*pieces, vocoder.flush()], -1)
    assert streamed.shape == whole.shape and float((streamed - whole).abs().max()) < 1e-5
    decoded = vocoder.decode(mel)
    vocoder.stream()
    parts = [vocoder.decode(part) for part in mel.split(max(1, block // 64), -1)]
    assert torch.allclose(torch.cat([*parts, vocoder.flush()], -1), decoded, atol=1e-5)
    assert torch.equal(vocoder.decode(mel), decoded)


@pytest.mark.parametrize("samples", [1, 64, 100, 300])
def test_a_stream_that_is_shorter_than_a_frame_of_the_spectrogram(
    vocoder: BendedVocoder, sound: Tensor, samples: int
) -> None:
    whole = vocoder.vocode(sound[..., :samples])
    vocoder.stream()
    made = torch.cat([vocoder.vocode(sound[..., :samples]), vocoder.flush()], -1)
    assert made.shape == whole.shape and torch.allclose(made, whole, atol=1e-5)


def test_a_block_that_fails_is_as_if_it_had_not_been_played(vocoder: BendedVocoder, sound: Tensor) -> None:
    failing = list[bool]()

    def bent(y: Tensor) -> Tensor:
        if failing:
            raise ValueError("this one fails")
        return y

    vocoder.bend(tb.Lambda(bent), "decode:tanh$")
    whole = vocoder.vocode(sound)
    vocoder.stream()
    begun = vocoder.vocode(sound[..., :3000])
    failing.append(True)
    with pytest.raises(CallbackError, match="this one fails"):
        vocoder.vocode(sound[..., 3000:])
    failing.clear()
    made = torch.cat([begun, vocoder.vocode(sound[..., 3000:]), vocoder.flush()], -1)
    assert torch.allclose(made, whole, atol=1e-5)


def test_a_control_that_is_turned_counts_from_the_next_block_on(vocoder: BendedVocoder) -> None:
    level = tb.BendingParameter("level", 1.0)
    vocoder.bend(tb.Scale(level), "decode:generator_conv_post$")
    mel = torch.randn(1, 20, 60)
    vocoder.stream()
    first = vocoder.decode(mel[..., :30])
    vocoder.update("level", 0.0)
    rest = torch.cat([vocoder.decode(mel[..., 30:]), vocoder.flush()], -1)
    assert bool(first.any()) and not bool(rest.any())


def test_a_stream_without_a_beginning(vocoder: BendedVocoder) -> None:
    with pytest.raises(StreamError, match="nothing is playing"):
        vocoder.flush()
    vocoder.stream()
    with pytest.raises(StreamError, match="nothing is playing"):
        vocoder.flush()
    vocoder.decode(torch.zeros(2, 20, 30))
    with pytest.raises(StreamError, match="does not go on"):
        vocoder.decode(torch.zeros(1, 20, 30))


@pytest.mark.shows("BendedVocoder", "render a sound file", model="HiFi-GAN")
def test_render(vocoder: BendedVocoder, sound: Tensor, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav", sound[0], 22050)
    vocoder.bend(tb.Normal(0.3, seed=2), r"generator\.ups.*weight$")
    assert vocoder.render(tmp_path / "out.wav", [str(tmp_path / "in.wav")]) == tmp_path / "out.wav"
    made, rate = read_audio(tmp_path / "out.wav")
    assert rate == 22050 and made.shape == (1, 5500)
    wanted = vocoder.vocode(tmp_path / "in.wav")[0].clamp(-1, 1)
    assert torch.allclose(made, wanted, atol=2e-4)
    with pytest.raises(GenerationError, match="one sound file"):
        vocoder.render(tmp_path / "out.wav", [])


@pytest.mark.parametrize("ending", SOUND_FILES)
def test_every_ending_that_is_told_can_be_written(
    vocoder: BendedVocoder, tmp_path: Path, ending: str
) -> None:
    tone = 0.3 * torch.sin(torch.arange(22050) * 0.1)[None]
    vocoder.write_audio(tmp_path / f"a{ending}", tone)
    made, rate = read_audio(tmp_path / f"a{ending}")
    assert rate == 22050 and float((made - tone)[..., 2000:-2000].abs().mean()) < 0.01


def test_bad_input_is_told(vocoder: BendedVocoder, sound: Tensor) -> None:
    for wrong in (torch.zeros(1, 2, 500), torch.zeros(1, 1, 0), torch.zeros(1, 1, 1, 1, 5)):
        with pytest.raises(ShapeError, match="one channel"):
            vocoder.mel(wrong)
    with pytest.raises(NonFiniteError):
        vocoder.vocode(torch.full((1, 1, 800), float("nan")))
    with pytest.raises(AudioFileError, match="44100"):
        vocoder.vocode(sound, sample_rate=44100)
    with pytest.raises(AudioFileError):
        vocoder.vocode("nowhere.wav")
    for bands in (torch.zeros(1, 21, 4), torch.zeros(1, 20, 0), torch.zeros(4)):
        with pytest.raises(ShapeError, match="mel spectrogram"):
            vocoder.decode(bands)
    with pytest.raises(ShapeError):
        vocoder.decode("mel")  # type: ignore[arg-type]


def test_what_it_tells_of_itself(vocoder: BendedVocoder) -> None:
    assert repr(vocoder) == "BendedVocoder(in memory: 22050 Hz, 20 bands, hop 64, 24,889 weights)"
    assert vocoder.bent_methods == ["mel", "decode"]
    assert {"mel", "decode", "vocode", "stream", "flush", "offline"} <= set(vocoder.verbs)
    assert vocoder.frame_rate == 22050 / 64
