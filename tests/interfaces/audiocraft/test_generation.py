"""Generation: every verb, the same sound for the same seed, windows, streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from torchbend.audio import write_audio
from torchbend.errors import GenerationError
from torchbend.interfaces.audiocraft import BendedAudioGen, BendedMusicGen
from torchbend.interfaces.audiocraft.sampling import GenerationParams, drawn, guided
from torchbend.interfaces.audiocraft.windows import Delayed, Span

from . import tiny

PROMPTS = ["abc", "a longer one"]


@pytest.mark.shows("BendedMusicGen", "generate (equal to transformers)", model="MusicGen")
def test_the_likeliest_codes_are_those_of_transformers(music: BendedMusicGen, original: Any) -> None:
    music.set_generation_params(duration=1.2, use_sampling=False, cfg_coef=2.0)
    sound = music.generate(PROMPTS)
    words = tiny.tokenizer()(PROMPTS, padding=True, return_tensors="pt")
    theirs = original.generate(
        input_ids=words["input_ids"],
        attention_mask=words["attention_mask"],
        do_sample=False,
        guidance_scale=2.0,
        max_new_tokens=15,
    )
    assert sound.shape == (2, 1, 384)
    assert torch.allclose(sound, theirs, atol=1e-5)


@pytest.mark.shows("BendedMusicGen", "a seed gives the same sound", model="MusicGen")
def test_the_same_seed_gives_the_same_sound(music: BendedMusicGen) -> None:
    first = music.generate(PROMPTS, seed=1)
    assert torch.equal(music(PROMPTS, seed=1), first)
    assert not torch.equal(music.generate(PROMPTS, seed=2), first)
    torch.manual_seed(5)
    drawn_once = music.generate("abc")
    torch.manual_seed(5)
    assert torch.equal(music.generate("abc"), drawn_once)
    assert first.shape == (2, 1, 2 * tiny.RATE) and first.dtype == torch.float32
    assert music.sample_rate == tiny.RATE and music.frame_rate == 10.0 and music.audio_channels == 1


def test_a_prompt_counts_and_is_not_changed_by_its_neighbours(music: BendedMusicGen) -> None:
    music.set_generation_params(duration=2.0, use_sampling=False)
    both = music.generate(PROMPTS)
    for row, prompt in enumerate(PROMPTS):
        assert torch.allclose(music.generate([prompt]), both[row : row + 1], atol=1e-5)
    assert not torch.allclose(both[0], both[1], atol=1e-3)


def test_guidance_in_two_steps_is_guidance_in_one(music: BendedMusicGen) -> None:
    once, codes = music.generate(PROMPTS, return_tokens=True, seed=3)
    music.set_generation_params(duration=2.0, two_step_cfg=True)
    assert torch.equal(music.generate(PROMPTS, return_tokens=True, seed=3)[1], codes)
    music.set_generation_params(duration=2.0, cfg_coef=1.0)
    assert not torch.equal(music.generate(PROMPTS, return_tokens=True, seed=3)[1], codes)


@pytest.mark.shows("BendedMusicGen", "generate_unconditional", model="MusicGen")
def test_without_a_prompt(music: BendedMusicGen) -> None:
    sound = music.generate_unconditional(2, seed=4)
    assert torch.equal(music.generate([None, ""], seed=4), sound)
    assert not torch.equal(music.generate(PROMPTS, seed=4), sound)


@pytest.mark.shows("BendedMusicGen", "generate_audio", model="MusicGen")
def test_codes_to_sound(music: BendedMusicGen) -> None:
    sound, codes = music.generate(PROMPTS, return_tokens=True, seed=0)
    assert codes.shape == (2, 4, 20) and int(codes.max()) < 16
    assert torch.equal(music.generate_audio(codes), sound)


@pytest.mark.shows("BendedMusicGen", "generate_continuation", model="MusicGen")
def test_going_on_from_a_sound(music: BendedMusicGen, tmp_path: Path) -> None:
    beginning = torch.randn(1, 256, generator=torch.Generator().manual_seed(0))
    sound, codes = music.generate_continuation(beginning, tiny.RATE, ["abc"], return_tokens=True, seed=1)
    known = music.module.encode(beginning[None])
    assert sound.shape == (1, 1, 640) and known.shape[-1] == 8
    assert torch.equal(codes[..., :8], known)
    other = music.generate_continuation(beginning * 0.1, tiny.RATE, ["abc"], return_tokens=True, seed=1)[1]
    assert not torch.equal(other[..., 8:], codes[..., 8:])
    stereo = music.generate_continuation(
        beginning.expand(2, -1), tiny.RATE, "abc", return_tokens=True, seed=1
    )
    assert torch.equal(stereo[1], codes)
    write_audio(tmp_path / "b.wav", beginning, tiny.RATE)
    assert music.generate_continuation(tmp_path / "b.wav", seed=1).shape == (1, 1, 640)


def test_a_known_beginning_changes_nothing_that_would_have_been_written(music: BendedMusicGen) -> None:
    """Going on from the model's own likeliest codes gives the rest of them."""
    music.set_generation_params(duration=2.0, use_sampling=False)
    whole = music.generate("abc", return_tokens=True)[1]
    rest = music._made(music._generation(["abc"], whole[..., :9], None, None), False, True)[1]
    assert torch.equal(rest, whole)


@pytest.mark.shows("BendedMusicGen", "streaming equals the whole", model="MusicGen")
@pytest.mark.parametrize("block", [0.1, 0.5, 9.0])
def test_a_stream_is_the_whole_in_pieces(music: BendedMusicGen, block: float) -> None:
    pieces_of = {0.1: 16, 0.5: 4, 9.0: 1}
    pieces = list(music.stream(PROMPTS, block, seed=6))
    whole = music.generate(PROMPTS, seed=6)
    assert torch.allclose(torch.cat(pieces, -1), whole, atol=1e-5)
    assert whole.std() > 1e-3
    assert len(pieces) == pieces_of[block]


def test_a_stream_gives_sound_before_all_codes_are_written(music: BendedMusicGen) -> None:
    steps: list[int] = []
    music.set_custom_progress_callback(lambda done, total: steps.append(done))
    next(music.stream("abc", 0.2, seed=0))
    assert 0 < steps[-1] < 20


@pytest.mark.shows("BendedMusicGen", "long sound in overlapping windows", model="MusicGen")
def test_long_sound_is_written_in_windows(music: BendedMusicGen) -> None:
    music.longest = 1.0
    music.set_generation_params(duration=2.5, extend_stride=0.6, use_sampling=False)
    codes = music.generate("abc", return_tokens=True)[1]
    assert codes.shape == (1, 4, 25)
    music.set_generation_params(duration=1.0, use_sampling=False)
    first = music.generate("abc", return_tokens=True)[1]
    assert torch.equal(codes[..., :10], first)
    second = music._made(music._generation(["abc"], first[..., 6:], None, None), False, True)[1]
    assert torch.equal(codes[..., 6:16], second)
    music.set_generation_params(duration=2.5, extend_stride=0.6, use_sampling=False)
    assert torch.allclose(torch.cat(list(music.stream("abc", 0.5)), -1), music.generate("abc"), atol=1e-5)


def test_windows_are_those_of_the_originals() -> None:
    spans = {
        Span(1500, 0, 1500, 900): [(0, 1500, 0)],
        Span(1400, 3, 1500, 900): [(0, 1400, 3)],
        Span(3000, 0, 1500, 900): [(0, 1500, 0), (900, 1500, 600), (1800, 1200, 600)],
        Span(40, 15, 20, 10): [(0, 20, 15), (10, 20, 10), (20, 20, 10)],
        Span(21, 0, 20, 10): [(0, 20, 0), (10, 11, 10)],
    }
    for span, expected in spans.items():
        assert list(span.windows()) == expected and span.count == len(expected)
    assert Span(50_000_000, 0, 1500, 1).count == 49_998_501


def test_codebooks_are_delayed() -> None:
    prompt = torch.arange(1, 9).reshape(1, 4, 2)
    sequence = Delayed(prompt, 4, (0, 1, 2, 3), 99)
    assert sequence.steps[0, :, :3].tolist() == [[99, 1, 2], [99, 99, 3], [99, 99, 99], [99, 99, 99]]
    assert list(sequence.to_write) == [3, 4, 5, 6, 7]
    done = {}
    for step in sequence.to_write:
        sequence.write(step, torch.full((1, 4), 10 * step))
        done[step] = sequence.complete(step)
    assert sequence.steps[0].tolist() == [
        [99, 1, 2, 30, 40, 99, 99, 99],
        [99, 99, 3, 4, 40, 50, 99, 99],
        [99, 99, 99, 5, 6, 50, 60, 99],
        [99, 99, 99, 99, 7, 8, 60, 70],
    ]
    assert [done[s] is None for s in (3, 4, 5)] == [True, True, True]
    assert done[6] is not None and done[6][0, :, 0].tolist() == [30, 40, 50, 60]


@pytest.mark.parametrize(
    ("params", "allowed"),
    [
        ({"use_sampling": False}, {3}),
        ({"top_k": 2}, {2, 3}),
        ({"top_k": 0, "top_p": 0.7}, {2, 3}),
        ({"top_k": 0, "top_p": 0.5}, {3}),
        ({"top_k": 0, "temperature": 0.01}, {3}),
        ({"top_k": 0}, {0, 1, 2, 3}),
    ],
)
def test_codes_are_drawn_from_what_the_parameters_allow(params: dict[str, Any], allowed: set[int]) -> None:
    scores = torch.log(torch.tensor([0.05, 0.10, 0.30, 0.55])).expand(2, 500, 4)
    found = drawn(scores, GenerationParams(**params), torch.Generator().manual_seed(0))
    assert found.shape == (2, 500)
    assert set(found.unique().tolist()) == allowed
    if len(allowed) == 4:
        assert abs((found == 3).float().mean() - 0.55) < 0.06


def test_guidance_goes_beyond_the_prompt() -> None:
    scores = torch.tensor([[1.0], [2.0], [0.0], [4.0]])
    assert guided(scores, 2, 3.0).tolist() == [[3.0], [-2.0]]
    assert guided(scores, 4, 3.0) is scores


def test_a_bar_and_a_callback_tell_how_far_it_is(
    music: BendedMusicGen, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[int, int]] = []
    music.set_custom_progress_callback(lambda done, total: told.append((done, total)))
    music.generate("abc", progress=True)
    assert told == [(n, 23) for n in range(1, 24)]
    assert "generating" in capsys.readouterr().err


def test_parameters_have_the_originals_defaults(music: BendedMusicGen, folder: Path) -> None:
    music.set_generation_params(duration=5)
    assert (
        music.generation_params
        == GenerationParams(duration=5)
        == GenerationParams(5, 250, 0.0, 1.0, 3.0, True, False, 18)
    )
    audio = BendedAudioGen(folder)
    audio.set_generation_params(top_k=10)
    assert (audio.duration, audio.generation_params.extend_stride, audio.max_duration) == (10.0, 2.0, 10.0)


@pytest.mark.parametrize(
    ("change", "site"),
    [
        ({"duration": 0}, "duration"),
        ({"duration": float("nan")}, "duration"),
        ({"top_k": 2.5}, "top_k"),
        ({"top_p": 1.5}, "top_p"),
        ({"temperature": 0.0}, "temperature"),
        ({"cfg_coef": "3"}, "cfg_coef"),
        ({"extend_stride": -1}, "extend_stride"),
    ],
)
def test_parameters_out_of_range_are_refused(
    music: BendedMusicGen, change: dict[str, Any], site: str
) -> None:
    before = music.generation_params
    with pytest.raises(GenerationError) as told:
        music.set_generation_params(**change)
    assert told.value.site == site and told.value.next_step
    assert music.generation_params == before


@pytest.mark.parametrize(
    ("wrong", "site"),
    [
        (lambda m: m.generate([]), "prompts"),
        (lambda m: m.generate([1, "a"]), "prompts"),
        (lambda m: m.generate(torch.ones(2)), "prompts"),
        (lambda m: m.generate_unconditional(0), "num_samples"),
        (lambda m: m.generate_continuation(torch.ones(320)), "prompt_sample_rate"),
        (lambda m: m.generate_continuation(torch.ones(3, dtype=torch.long), 320), "prompt"),
        (lambda m: m.generate_continuation(torch.zeros(1, 320), 320, ["a", "b"]), "descriptions"),
        (lambda m: m.generate_continuation(torch.zeros(1, 6400), 320), "duration"),
        (lambda m: m.generate_audio(torch.full((1, 4, 3), 16)), "tokens"),
        (lambda m: m.generate_audio(torch.zeros(1, 3, 3, dtype=torch.long)), "tokens"),
        (lambda m: m.generate_with_chroma(["a"], torch.ones(1), 320), None),
        (lambda m: m.generate_continuation(torch.full((1, 64), torch.nan), 320), "prompt"),
        (lambda m: m.generate_continuation(torch.zeros(1, 0), 320), "prompt"),
        (lambda m: m.generate_continuation(torch.zeros(64), "fast"), "prompt_sample_rate"),
        (lambda m: m.generate("a", seed=1.5), "seed"),
        (lambda m: m.generate("a", seed="x"), "seed"),
        (lambda m: m.stream("a", block=0), "block"),
        (lambda m: m.stream("a", block="x"), "block"),
    ],
)
def test_what_cannot_be_generated_is_told(
    music: BendedMusicGen, wrong: Callable[[Any], Any], site: str | None
) -> None:
    with pytest.raises(GenerationError) as told:
        wrong(music)
    assert site is None or told.value.site == site
    assert told.value.wanted


def test_windows_that_do_not_overlap_are_refused(music: BendedMusicGen) -> None:
    music.longest = 1.0
    music.set_generation_params(duration=2.0, extend_stride=1.0)
    with pytest.raises(GenerationError, match="overlap"):
        music.generate("abc")
