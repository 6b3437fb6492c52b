"""``torchbend rave train-prior`` and ``torchbend rave sample``: from a run to sound."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from tests.training.conftest import settings, tiny, tones
from typer.testing import CliRunner

from torchbend.audio import read_audio
from torchbend.cli.rave.app import app
from torchbend.training.folder import RunFolder
from torchbend.training.model import Training
from torchbend.training.records import read_records

SMALL = [f"--set={size}" for size in ("layers=2", "kernel_size=2", "residual_size=8", "skip_size=8")]
STEPS = ["--batch", "1", "--workers", "0", "--held-out", "0.2", "--device", "cpu", "--out", "runs"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus ``db``, and a model ``runs/m`` of which two latents are exported."""
    folder = tmp_path_factory.mktemp("place")
    corpus = tones(folder / "db")
    own = settings(max_steps=1, cropped_latents=2, normalise=True)
    Training(RunFolder(folder / "runs/m"), tiny(), own, corpus, device="cpu").run()
    return folder


@pytest.fixture(autouse=True)
def _there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def _rave(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def test_from_a_run_to_sound() -> None:
    made = _rave("train-prior", "runs/m", "--data", "db", "--name", "p", *SMALL, *STEPS, "--max-steps", "2")
    assert made.exit_code == 0, made.output
    assert "2 of 4 latents" in made.output and "export runs/m --prior runs/p" in made.output
    told = json.loads(Path("runs/p/run.json").read_text())
    # As many latents as the model's exports play, the shortest excerpt, and sounds as the model heard them.
    assert (told["prior"]["latents"], told["settings"]["length"], told["model"]) == (2, 16384, "runs/m")
    assert told["settings"]["normalise"] and told["settings"]["learning_rate"] == 1e-4

    longer = _rave("train-prior", "--name", "p", "--out", "runs", "--resume", "--max-steps", "3")
    assert longer.exit_code == 0, longer.output
    steps = [r["step"] for r in read_records(Path("runs/p/records.jsonl")) if "latent_prediction" in r]
    assert steps == [2, 3]

    sound = _rave("sample", "runs/p", "--seconds", "0.25", "--temperature", "0.8", "--out", "made.wav")
    assert sound.stdout == "wrote 0.25 s of sound to made.wav\n"
    heard, rate = read_audio("made.wav")
    assert rate == 44100 and heard.shape[-1] == 11025
    again = _rave("sample", "runs/p", "--seconds", "0.25", "--prompt", "made.wav", "--out", "more.wav")
    assert again.exit_code == 0, again.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--data", "db"], "the model is needed"),
        (["runs/m"], "the corpus is needed"),
        (["runs/m", "--data", "db", "--ckpt", "runs/m/checkpoints/last.ckpt"], "keeps its model"),
        (["runs/m", "--data", "db", "--set", "layers"], "NAME=VALUE"),
    ],
)
def test_what_is_missing_or_too_much_is_told(words: list[str], told: str) -> None:
    result = _rave("train-prior", *words, "--name", "q", *STEPS)
    assert result.exit_code == 2 and told in result.output
    assert not Path("runs/q").exists()


@pytest.mark.parametrize("command", ["train", "train-prior"])
def test_a_run_that_begins_from_a_checkpoint_takes_no_other_runs_folder(command: str) -> None:
    before = Path("runs/m/records.jsonl").read_bytes()
    start = ["--ckpt", "runs/m/checkpoints/last.ckpt"]
    result = _rave(command, "--name", "m", "--data", "db", *start, *STEPS)
    assert result.exit_code == 2 and "already" in result.output
    assert Path("runs/m/records.jsonl").read_bytes() == before
