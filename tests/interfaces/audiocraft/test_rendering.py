"""What the command line makes: sound files of texts, of sounds, of melodies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from torchbend.audio import read_audio
from torchbend.errors import AudioFileError, GenerationError
from torchbend.interfaces import BendedAudioGen, BendedMusicGen
from torchbend.interfaces.kinds import kind_of

from . import tiny


def read(path: Path, rate: int) -> torch.Tensor:
    return torch.as_tensor(read_audio(path, rate)[0])


def test_kinds_have_names_and_tiny_models() -> None:
    assert kind_of("musicgen") is BendedMusicGen and kind_of("audiogen") is BendedAudioGen
    assert BendedMusicGen.makes and BendedMusicGen.extra == "transformers"
    audio = BendedAudioGen.tiny(seed=1)
    assert isinstance(audio, BendedAudioGen) and audio.duration == 10.0 and not audio.follows_melody
    assert not hasattr(audio, "generate_with_chroma")


@pytest.mark.shows("BendedMusicGen", "render from the command line", model="MusicGen")
def test_a_text_becomes_a_sound_file(music: BendedMusicGen, tmp_path: Path) -> None:
    path = music.render(tmp_path / "a.wav", ["abc"], seed=3, duration=1.0)
    assert music.duration == 2.0  # as before
    music.set_generation_params(duration=1.0)
    heard = read(path, tiny.RATE)
    assert heard.shape == (1, tiny.RATE)
    assert torch.allclose(heard, music.generate(["abc"], seed=3)[0].clamp(-1, 1), atol=1e-4)
    assert torch.equal(read(music.render(tmp_path / "b.wav", "abc", seed=3), tiny.RATE), heard)
    assert not torch.equal(read(music.render(tmp_path / "c.wav", [], seed=3), tiny.RATE), heard)


def test_a_sound_file_is_gone_on_from(music: BendedMusicGen, tmp_path: Path) -> None:
    begin = music.render(tmp_path / "a.wav", ["abc"], duration=0.5)
    more = music.render(tmp_path / "b.wav", [str(begin), "cba"], duration=1.5, seed=1)
    assert read(more, tiny.RATE).shape == (1, tiny.RATE * 3 // 2)
    music.set_generation_params(duration=1.5)
    known = music.generate_continuation(begin, descriptions="cba", seed=1)[0].clamp(-1, 1)
    assert torch.allclose(read(more, tiny.RATE), known, atol=1e-4)


def test_real_phrases_are_gone_on_from_and_followed(phrase: Callable[[str], Path]) -> None:
    music = BendedMusicGen.tiny(melody=True)
    music.set_generation_params(duration=8.2)
    sound, codes = music.generate_continuation(
        str(phrase("violin")), descriptions=["abc"], return_tokens=True, seed=1
    )
    known = music.module.encode(read(phrase("violin"), 8000)[None])
    assert sound.shape == (1, 1, 65600) and codes.shape == (1, 4, 410) and known.shape[-1] == 400
    assert torch.equal(codes[..., :400], known) and known.unique().numel() > 16
    assert bool(sound.isfinite().all())
    music.set_generation_params(duration=0.5)
    follow = [music.generate_with_chroma(["abc"], phrase(p), seed=1) for p in ("violin", "piano")]
    assert not torch.allclose(*follow, atol=1e-2)


@pytest.mark.shows("BendedMusicGen", "render from the command line", model="MusicGen melody")
def test_a_melody_is_followed(tmp_path: Path) -> None:
    music = BendedMusicGen.tiny(melody=True)
    assert music.follows_melody
    melody = music.render(tmp_path / "a.wav", ["x"], duration=0.5)
    made = music.render(tmp_path / "b.wav", ["abc"], melody=str(melody), duration=0.3)
    music.set_generation_params(duration=0.3)
    expected = music.generate_with_chroma("abc", melody, seed=0)[0].clamp(-1, 1)
    assert torch.allclose(read(made, 8000), expected, atol=1e-4)
    assert not torch.allclose(expected, music.generate("abc", seed=0)[0], atol=1e-2)


@pytest.mark.parametrize(
    ("inputs", "options", "site"),
    [
        (["a", "b"], {}, "inputs"),
        (["a.wav", "b.wav"], {}, "inputs"),
        (["a.wav"], {"melody": "b.wav"}, "melody"),
        (["a"], {"duration": -1}, "duration"),
        (["a"], {"top_k": "many"}, "top_k"),
    ],
)
def test_what_cannot_be_rendered_is_told(
    music: BendedMusicGen, tmp_path: Path, inputs: list[str], options: dict[str, Any], site: str
) -> None:
    before = music.generation_params
    with pytest.raises(GenerationError) as told:
        music.render(tmp_path / "a.wav", inputs, **options)
    assert told.value.site == site and music.generation_params == before
    assert not list(tmp_path.iterdir())


def test_missing_files_and_models_that_follow_nothing_are_told(
    music: BendedMusicGen, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(AudioFileError):
        music.render(tmp_path / "a.wav", [str(tmp_path / "no.wav")])
    for model in (music, BendedAudioGen(folder)):
        with pytest.raises(GenerationError, match=r"melod"):
            model.render(tmp_path / "a.wav", ["a"], melody="b.wav")
