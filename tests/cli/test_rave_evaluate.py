"""``torchbend rave evaluate``: a table, data, a figure and a page, between models; and what it leaves out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result

from torchbend.audio import write_audio

Program = Callable[..., Result]


@pytest.fixture
def held(folder: Path) -> Path:
    """Two sounds, one silence, and one file that is no sound."""
    time = torch.arange(22050) / 44100
    place = folder / "held"
    for name, frequency in (("a.wav", 220), ("deep/b.flac", 330)):
        write_audio(place / name, 0.3 * torch.sin(2 * torch.pi * frequency * time)[None], 44100)
    write_audio(place / "silent.wav", torch.zeros(1, 22050), 44100)
    (place / "broken.wav").write_bytes(b"no sound at all")
    return place


def test_a_table_and_files_between_models(birds: Path, held: Path, folder: Path, program: Program) -> None:
    pytest.importorskip("matplotlib")
    (folder / "other.safetensors").write_bytes(birds.read_bytes())
    outs = [word for name in ("r.json", "r.png", "deep/r.html") for word in ("--out", name)]
    result = program("rave", "evaluate", birds, "other.safetensors", "--input", "held", "--no-speed", *outs)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "2 sound(s), 1.0 s, of held"
    assert lines[2].split() == ["birds", "other", "noise", "in", "16", "bands", "better"]
    spectral = next(line for line in lines if line.startswith("spectral distance")).split()
    assert spectral[2] == spectral[3] != spectral[4]
    assert [line for line in lines if line.startswith("wrote")] == [
        f"wrote {Path(name)}" for name in ("r.json", "r.png", "deep/r.html")
    ]
    assert "silent.wav: silent" in result.stderr and "broken.wav" in result.stderr
    data = json.loads((folder / "r.json").read_text("utf-8"))
    assert data["sounds"] == 2
    assert [each["model"] for each in data["models"]] == ["birds", "other", "noise in 16 bands"]
    assert f"{data['models'][0]['spectral_distance']:.3f}" == spectral[2]
    assert (folder / "r.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "deep" / "r.html").read_text("utf-8")
    # The sound, both models and the noise, of two sounds; the figure; a picture of each.
    assert page.count("<audio ") == 8 and page.count("<img ") == 9
    assert "spectral distance" in page


def test_fewer_sounds_no_baseline_and_the_speed(
    birds: Path, held: Path, folder: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchbend.evaluation import models, speed

    quick = models.Speed(whole=31.0, blocks=12.5, block=2048, block_ms=3.7, slowest_ms=4.0)
    monkeypatch.setattr(models, "real_time_factors", lambda model: quick)
    words = ("--sounds", 3, "--no-baseline", "--out", "r.json")
    result = program("rave", "evaluate", birds, "--input", held / "a.wav", "--input", held / "deep", *words)
    assert result.exit_code == 0, result.output
    assert "noise" not in result.stdout
    assert next(x for x in result.stdout.splitlines() if x.startswith("blocks")).split()[-2] == "12.5"
    data = json.loads((folder / "r.json").read_text("utf-8"))
    assert data["models"][0]["real_time_factor"]["whole"] == 31
    assert speed.real_time_factors is not models.real_time_factors


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--input", "held", "--out", "r.txt"), 2, "should end in .html"),
        (("--input", "nowhere"), 1, "no such folder"),
        (("--input", "held/silent.wav"), 1, "no sound to compare with"),
        ((), 2, "--input"),
    ],
)
def test_mistakes_are_told(
    birds: Path, held: Path, folder: Path, program: Program, words: tuple[str, ...], status: int, said: str
) -> None:
    result = program("rave", "evaluate", birds, *words)
    assert result.exit_code == status, result.output
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert not list(folder.glob("r.*"))


def test_one_model_twice_is_refused(birds: Path, held: Path, program: Program) -> None:
    result = program("rave", "evaluate", birds, birds, "--input", "held")
    assert result.exit_code == 2 and "given twice" in " ".join(result.stderr.split())
