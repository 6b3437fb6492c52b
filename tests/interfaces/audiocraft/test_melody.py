"""Melody models: pitch classes heard, and music that follows them as transformers' own does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import torchbend as tb
from torchbend.audio import read_audio, write_audio
from torchbend.errors import CheckpointError, GenerationError
from torchbend.interfaces.audiocraft import BendedMusicGen
from torchbend.interfaces.audiocraft.chroma import Chroma
from torchbend.interfaces.audiocraft.melodies import Melodies
from torchbend.interfaces.audiocraft.past import Past

from . import tiny

HEARS = Chroma(frames=tiny.CHROMA_FRAMES, window=tiny.CHROMA_WINDOW, hop=tiny.CHROMA_HOP)
NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


def tone(*pitches: float, rate: int = 32000, seconds: float = 1.0) -> Tensor:
    """Harmonic tones one after the other."""
    time = torch.arange(int(seconds * rate)) / rate
    return torch.cat([sum(torch.sin(2 * torch.pi * f * k * time) / k**2 for k in (1, 2, 3)) for f in pitches])


# -- what is heard --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "rate"), [(16384, 32000), (1024, 8000), (64, 320)])
def test_filters_are_those_of_transformers(window: int, rate: int) -> None:
    utilities = pytest.importorskip("transformers.audio_utils")
    theirs = utilities.chroma_filter_bank(
        sampling_rate=rate, num_frequency_bins=window, tuning=0, num_chroma=12
    )
    ours = Chroma(window=window).filters(rate)
    assert ours.shape == theirs.shape == (12, window // 2 + 1)
    assert np.abs(ours.numpy() - theirs.astype(np.float32)).max() <= 1e-6


@pytest.mark.shows("BendedMusicGen", "melodies heard as pitch classes", model="MusicGen melody")
@pytest.mark.parametrize("midi", range(60, 72))
def test_a_tone_is_heard_as_its_pitch_class_in_every_octave(midi: int) -> None:
    for octave in (-1, 0, 1, 2):
        heard = Chroma().melody(tone(440 * 2 ** ((midi - 69) / 12 + octave))[None], 32000)
        assert heard.shape == (1, 32000 // 4096 + 1, 12)
        assert NAMES[midi - 60] == NAMES[int(heard[0].mean(0).argmax())]


def test_a_melody_is_heard_in_its_time() -> None:
    do_re_mi = Chroma().melody(tone(261.63, 293.66, 329.63)[None], 32000)[0].argmax(-1).tolist()
    assert do_re_mi == sorted(do_re_mi) and set(do_re_mi) == {0, 2, 4}
    assert all(do_re_mi.count(pitch) in (7, 8, 9) for pitch in (0, 2, 4))


@pytest.mark.parametrize("player", ["violin", "piano"])
def test_real_phrases_are_heard_in_their_key(phrase: Callable[[str], Path], player: str) -> None:
    """Both are in D major."""
    sound = torch.as_tensor(read_audio(phrase(player), 32000)[0])
    heard = {NAMES[int(pitch)] for pitch in Chroma().melody(sound, 32000)[0].argmax(-1)}
    assert {"D", "F#", "A"} <= heard <= {"D", "E", "F#", "G", "A", "B", "C#"}


def test_a_chromagram_is_normalised_by_its_strongest_pitch() -> None:
    gram = Chroma().gram(tone(440.0)[None], 32000)
    assert torch.equal(gram.amax(-1), torch.ones(1, 8)) and float(gram.min()) >= 0
    assert float(gram[0, 4, 3]) < 0.01  # D#, the farthest from A
    silence = Chroma().melody(torch.zeros(1, 100), 32000)
    assert torch.equal(silence, Chroma().none(1, torch.device("cpu"))[:, : silence.shape[1]])


def test_thirty_seconds_have_as_many_frames_as_the_models_know() -> None:
    assert Chroma().melody(torch.zeros(1, 30 * 32000), 32000).shape[1] == Chroma().frames == 235


def test_later_windows_hear_later_parts_and_a_short_melody_again() -> None:
    sound = tone(261.63, 440.0, rate=320, seconds=0.8)
    melodies = Melodies([sound, None], 320, HEARS)
    whole = melodies.heard()
    assert whole.shape == (2, 61, 12) and torch.equal(whole[1], HEARS.none(1, torch.device("cpu"))[0])
    again = sound.repeat(3)
    assert torch.equal(melodies.heard(0.4, 1.0)[0], HEARS.fitted(HEARS.melody(again[None, 128:448], 320))[0])


# -- the model ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def original() -> Any:
    return tiny.model(melody=True, seed=2)


@pytest.fixture(scope="module")
def _bended(original: Any, tmp_path_factory: pytest.TempPathFactory) -> BendedMusicGen:
    return BendedMusicGen(tiny.save(original, tmp_path_factory.mktemp("melody")))


@pytest.fixture
def music(_bended: BendedMusicGen) -> Iterator[BendedMusicGen]:
    """In transformers' layout."""
    _bended.longest = 30.0
    _bended.set_generation_params(duration=1.2, use_sampling=False)
    yield _bended
    _bended.reset()


@pytest.fixture(params=["transformers", "audiocraft", "explicit attention"])
def any_music(
    request: pytest.FixtureRequest, music: BendedMusicGen, original: Any, tmp_path: Path
) -> BendedMusicGen:
    """In both layouts, and with an attention that is written out."""
    if request.param == "transformers":
        return music
    if request.param == "audiocraft":
        return BendedMusicGen(tiny.save_audiocraft(original, tmp_path))
    return BendedMusicGen(tiny.save(original, tmp_path), attention="explicit")


def features(rows: int = 1) -> Tensor:
    classes = torch.randint(12, (rows, 20), generator=torch.Generator().manual_seed(4))
    return torch.nn.functional.one_hot(classes, 12).float()


def words(*prompts: str) -> dict[str, Tensor]:
    found = tiny.tokenizer()(list(prompts), padding=True, return_tensors="pt")
    return {"input_ids": found["input_ids"], "attention_mask": found["attention_mask"]}


def test_it_hears_as_the_files_say(any_music: BendedMusicGen) -> None:
    assert any_music.follows_melody and any_music.module.lm.sizes.chroma == HEARS
    names = [name for name in any_music.weight_names if name.startswith("lm.")]
    assert "lm.condition_provider.conditioners.self_wav.output_proj.weight" in names
    assert not any("cross" in name for name in names)


def test_scores_are_those_of_transformers(any_music: BendedMusicGen, original: Any) -> None:
    codes = torch.randint(16, (2, 4, 7), generator=torch.Generator().manual_seed(3))
    told = words("abcd", "dcba")
    theirs = original(**told, input_features=features(2), decoder_input_ids=codes.reshape(8, 7)).logits
    past = Past(
        any_music.module.condition(
            told["input_ids"], told["attention_mask"], False, HEARS.fitted(features(2))
        ),
        7,
    )
    parts = []
    for begin, end in ((0, 1), (1, 4), (4, 5), (5, 7)):
        parts.append(any_music.module.step(codes[..., begin:end], past))
        past.length = end
    ours = torch.cat(parts, 2).reshape(8, 7, 16)
    # transformers rounds the sinusoids of late places in another way
    assert (ours - theirs[:, -7:]).abs().max() < 1e-5 * theirs.abs().max()


@pytest.mark.shows("BendedMusicGen", "follow a melody (equal to transformers)", model="MusicGen melody")
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_what_follows_a_melody_is_what_transformers_generates(
    music: BendedMusicGen, original: Any, monkeypatch: pytest.MonkeyPatch, guidance: float
) -> None:
    music.set_generation_params(duration=1.2, use_sampling=False, cfg_coef=guidance)
    monkeypatch.setattr(Chroma, "melody", lambda self, audio, rate: features())
    sound = music.generate_with_chroma(["abc"], torch.zeros(1, 320), tiny.RATE)
    theirs = original.generate(
        **words("abc"),
        input_features=features(),
        do_sample=False,
        guidance_scale=guidance,
        max_new_tokens=15,
    )
    assert sound.shape == (1, 1, 384) and torch.allclose(sound, theirs, atol=1e-5)


@pytest.mark.shows("BendedMusicGen", "text only (equal to transformers)", model="MusicGen melody")
def test_text_alone_gives_what_transformers_generates(any_music: BendedMusicGen, original: Any) -> None:
    any_music.set_generation_params(duration=1.2, use_sampling=False, cfg_coef=2.0)
    told = words("abc", "cba")
    theirs = original.generate(**told, do_sample=False, guidance_scale=2.0, max_new_tokens=15)
    assert torch.allclose(any_music.generate(["abc", "cba"]), theirs, atol=1e-5)


def test_each_prompt_is_read_as_if_it_were_alone(music: BendedMusicGen) -> None:
    low, high = torch.randn(2, 300, generator=torch.Generator().manual_seed(0))
    prompts: list[str | None] = ["abc", "a much longer one", None, "abc"]
    melodies = [low, high[:200], low, None]
    together = music.generate_with_chroma(prompts, melodies, tiny.RATE, return_tokens=True)[1]
    for row, (prompt, melody) in enumerate(zip(prompts, melodies, strict=True)):
        alone = music.generate_with_chroma([prompt], [melody], tiny.RATE, return_tokens=True)[1]
        assert torch.equal(alone, together[row : row + 1])
    assert torch.equal(together[3:], music.generate(["abc"], return_tokens=True)[1])
    assert len({tuple(row.flatten().tolist()) for row in together}) == 4


def test_melodies_are_given_in_many_ways(music: BendedMusicGen, tmp_path: Path) -> None:
    sound = 0.5 * torch.randn(1, 300, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    write_audio(tmp_path / "m.wav", sound, tiny.RATE)
    told = ["abc", "abc"]
    codes = music.generate_with_chroma(told, [sound, sound[0]], tiny.RATE, return_tokens=True)[1]
    same = (sound, sound.expand(2, 2, -1), str(tmp_path / "m.wav"), [tmp_path / "m.wav"])
    for given in same:
        found = music.generate_with_chroma(told, given, tiny.RATE, return_tokens=True)[1]
        assert torch.equal(found, codes)


def test_guidance_in_two_steps_and_a_seed(music: BendedMusicGen) -> None:
    sound = torch.randn(300, generator=torch.Generator().manual_seed(0))
    made = []
    for two_steps in (False, True):
        music.set_generation_params(duration=1.0, two_step_cfg=two_steps)
        made.append(music.generate_with_chroma(["abc", None], sound, tiny.RATE, True, True, seed=3)[1])
    assert torch.equal(*made)


@pytest.mark.shows("BendedMusicGen", "long sound follows a melody in windows", model="MusicGen melody")
def test_each_window_of_a_long_sound_hears_its_part(music: BendedMusicGen) -> None:
    music.longest = 1.0
    music.set_generation_params(duration=1.6, extend_stride=0.6, use_sampling=False)
    sound = torch.randn(700, generator=torch.Generator().manual_seed(1))
    codes = music.generate_with_chroma("abc", sound, tiny.RATE, return_tokens=True)[1]
    assert codes.shape == (1, 4, 16)
    chroma = HEARS.fitted(HEARS.melody(sound[None, 192:512], tiny.RATE))
    told = words("abc")
    nothing = music.module.condition(told["input_ids"], told["attention_mask"], True, chroma)
    second = Past(nothing, 14)
    heard = music.module.step(torch.full((2, 4, 1), 16), second)
    assert heard.shape == (2, 4, 1, 16)
    generation = music._generation(["abc"], None, None, None, Melodies([sound[192:512]], tiny.RATE, HEARS))
    assert torch.equal(generation.melodies.heard(), chroma)  # type: ignore[union-attr]
    other = sound.clone()
    other[320:] = other[320:].flip(0)  # only the second window hears this
    changed = music.generate_with_chroma("abc", other, tiny.RATE, return_tokens=True)[1]
    assert torch.equal(changed[..., :10], codes[..., :10]) and not torch.equal(changed, codes)


@pytest.mark.shows("BendedMusicGen", "bend activations", model="MusicGen melody")
def test_an_activation_is_bent_in_all_of_the_sequence(music: BendedMusicGen) -> None:
    """What a linear layer takes, times zero, is its weight times zero: before the first step too."""
    sound = torch.randn(300, generator=torch.Generator().manual_seed(0))

    def codes() -> Tensor:
        made = music.generate_with_chroma(["abc"], sound, tiny.RATE, return_tokens=True)
        return made[1]  # type: ignore[no-any-return]

    plain = codes()
    music.bend(tb.Scale(0.0), "step:gelu_1$")
    bent = codes()
    music.reset()
    music.bend(tb.Scale(0.0), "lm.transformer.layers.1.linear2.weight$")
    assert torch.equal(codes(), bent) and not torch.equal(bent, plain)
    music.reset()
    assert torch.equal(codes(), plain)


@pytest.mark.shows("BendedMusicGen", "bend the melody that it hears", model="MusicGen melody")
def test_a_melody_that_is_bent_to_nothing_is_none(music: BendedMusicGen) -> None:
    sound = torch.randn(300, generator=torch.Generator().manual_seed(0))
    music.bend(tb.Scale(0.0), "condition:lm_condition_provider_conditioners_self_wav_output_proj$")
    bent = music.generate_with_chroma(["abc"], sound, tiny.RATE, return_tokens=True)[1]
    assert torch.equal(bent, music.generate(["abc"], return_tokens=True)[1])


@pytest.mark.parametrize(
    ("wrong", "site"),
    [
        (lambda m: m.generate_with_chroma([], torch.ones(9), 320), "descriptions"),
        (lambda m: m.generate_with_chroma(["a"], None, 320), "melody_wavs"),
        (lambda m: m.generate_with_chroma(["a"], torch.ones(9)), "melody_sample_rate"),
        (lambda m: m.generate_with_chroma(["a"], torch.ones(9), 0), "melody_sample_rate"),
        (lambda m: m.generate_with_chroma(["a"], torch.ones(9, dtype=torch.long), 320), "melody_wavs"),
        (lambda m: m.generate_with_chroma(["a"], torch.ones(0), 320), "melody_wavs"),
        (lambda m: m.generate_with_chroma(["a", "b"], [torch.ones(9)] * 3, 320), "melody_wavs"),
        (lambda m: m.generate_with_chroma(["a"], [], 320), "melody_wavs"),
    ],
)
def test_what_is_no_melody_is_told(music: BendedMusicGen, wrong: Callable[[Any], Any], site: str) -> None:
    with pytest.raises(GenerationError) as told:
        wrong(music)
    assert told.value.site == site and told.value.wanted


def test_models_that_hear_in_another_way_are_refused(original: Any, tmp_path: Path) -> None:
    folder = tiny.save(original, tmp_path / "a")
    (folder / "preprocessor_config.json").write_text('{"n_fft": 0}')
    with pytest.raises(CheckpointError, match="in another way"):
        BendedMusicGen(folder)
    (folder / "preprocessor_config.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        BendedMusicGen(folder)
    other = tiny.save_audiocraft(original, tmp_path / "b")
    content = torch.load(other / "state_dict.bin", weights_only=True)
    content["xp.cfg"] = content["xp.cfg"].replace("argmax: true", "argmax: false")
    torch.save(content, other / "state_dict.bin")
    with pytest.raises(CheckpointError, match="argmax"):
        BendedMusicGen(other)
