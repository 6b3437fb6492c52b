"""``torchbend rave generate``: folders in, folders out, bends, and what it says of files it cannot read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result

import torchbend as tb
from torchbend.audio import read_audio, write_audio
from torchbend.interfaces.rendering import render

Program = Callable[..., Result]
LOUDNESS = "decoder.net.21.weight_g"


@pytest.fixture
def sounds(folder: Path) -> Path:
    """A folder with a mono and a stereo sound, and one that is none."""
    generator = torch.Generator().manual_seed(0)
    place = folder / "sounds"
    write_audio(place / "a.wav", 0.1 * torch.randn(1, 20000, generator=generator), 44100)
    write_audio(place / "deep" / "b.flac", 0.1 * torch.randn(2, 30000, generator=generator), 44100)
    return place


def test_a_folder_becomes_a_folder(birds: Path, sounds: Path, folder: Path, program: Program) -> None:
    result = program("rave", "generate", birds, "sounds", "--out", "out")
    assert result.exit_code == 0, result.output
    assert result.stdout == "wrote 2 file(s), 1.1 s of sound, to out\n"
    model = tb.BendedRAVE(birds)
    for name, made in (("a.wav", "a.wav"), ("deep/b.flac", "deep/b.wav")):
        x, _ = read_audio(sounds / name)
        y, rate = read_audio(folder / "out" / made)
        torch.manual_seed(0)
        expected = render(model, x)
        assert rate == 44100 and y.shape == x.shape
        assert float(y.std()) > 0.01
        torch.testing.assert_close(y, expected.clamp(-1, 1), atol=4e-5, rtol=0)
    assert sorted(p.name for p in sounds.rglob("*") if p.is_file()) == ["a.wav", "b.flac"]


def test_recipes_bends_and_controls(birds: Path, sounds: Path, folder: Path, program: Program) -> None:
    recipe = birds.parent / "r.json"
    for out, words in {
        "plain": (),
        "recipe": ("--bend", recipe),
        "quiet": ("--bend", recipe, "--set", "amount=0.1"),
        "single": ("--bend", f"Scale(0.1)@{LOUDNESS}"),
    }.items():
        result = program("rave", "generate", birds, sounds / "a.wav", "--out", out, *words)
        assert result.exit_code == 0, result.output
    plain, same, quiet, single = (
        read_audio(folder / out / "a.wav")[0] for out in ("plain", "recipe", "quiet", "single")
    )
    torch.testing.assert_close(plain, same)
    torch.testing.assert_close(quiet, single)
    assert 0.001 < float(quiet.std()) < 0.5 * float(plain.std())


def test_streaming_and_seeds(birds: Path, sounds: Path, folder: Path, program: Program) -> None:
    outs = []
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        words = ("--stream", "--sample", "--seed", seed)
        result = program("rave", "generate", birds, sounds / "a.wav", "--out", out, *words)
        assert result.exit_code == 0 and "1 of them in blocks" in result.stdout, result.output
        outs.append(read_audio(folder / out / "a.wav")[0])
    torch.testing.assert_close(outs[0], outs[1])
    assert float((outs[0] - outs[2]).std()) > 0.01 * float(outs[0].std()) > 1e-4


def test_unreadable_files_are_skipped_and_told(birds: Path, sounds: Path, program: Program) -> None:
    (sounds / "broken.wav").write_bytes(b"no sound at all")
    result = program("rave", "generate", birds, sounds, "--out", "out")
    assert result.exit_code == 1
    assert result.stdout.startswith("wrote 2 file(s)")
    said = " ".join(result.stderr.split())
    assert "skipped" in said and "broken.wav" in said and "1 of 3 file(s) were skipped" in said
    assert "Traceback" not in result.output


def test_the_others_are_made_when_one_needs_too_much_memory(
    birds: Path, sounds: Path, folder: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tb.BendedRAVE.forward

    def narrow(model: tb.BendedRAVE, x: torch.Tensor) -> torch.Tensor:
        if x.shape[0] == 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return whole(model, x)

    monkeypatch.setattr(tb.BendedRAVE, "forward", narrow)
    result = program("rave", "generate", birds, sounds, "--out", "out")
    assert result.exit_code == 1
    assert result.stdout.startswith("wrote 1 file(s)") and (folder / "out" / "a.wav").is_file()
    said = " ".join(result.stderr.split())
    assert "b.flac" in said and "not enough memory" in said and "--stream" in said
    assert "1 of 2 file(s) were skipped" in said


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("none.wav", "--out", "out"), 1, "no such"),
        (("sounds", "--out", "sounds"), 1, "replace an input"),
        (("sounds", "--out", "out", "--bend", "nothing.json"), 1, "cannot be read"),
        (("sounds", "--out", "out", "--bend", "Scale(2)"), 2, "names no site"),
        (("sounds", "--out", "out", "--ema"), 1, "averaged"),
        (("sounds", "--out", "out", "--device", "kitchen"), 1, "--device kitchen"),
        (("sounds",), 2, "--out"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    birds: Path, sounds: Path, folder: Path, program: Program, words: tuple[str, ...], status: int, said: str
) -> None:
    result = program("rave", "generate", birds, *words)
    assert result.exit_code == status, result.output
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert not (folder / "out").exists()


def test_a_missing_model_is_told(sounds: Path, program: Program) -> None:
    result = program("rave", "generate", "nowhere.ts", "sounds", "--out", "out")
    assert result.exit_code == 1 and "nowhere.ts" in result.stderr
