"""The six commands of the page "Train your own", as they stand there, made small: from FLACs to the stage."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import torch
from click.testing import Result

from torchbend.training.records import read_records

Program = Callable[..., Result]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "train-your-own.md"
NOTES = 4
SMALL = {
    "duration": "",
    "resample": "--copies 1 --workers 1",
    "preprocess": "--num-signal 73728 --workers 1",
    "train": "--set capacity=2 --set latent_size=4 --max-steps 6 --warmup 3 --batch 2 --length 73728 "
    "--val-every 3 --held-out 0.2 --workers 0 --device cpu",
    "export": "--no-warm-up",
    "check": "--blocks 2048 --no-speed",
}
"""What is added to each command, so that it takes seconds."""


def the_six() -> list[list[str]]:
    """The commands of the page's first block, without the name of the program."""
    block = PAGE.read_text(encoding="utf-8").partition("```sh\n")[2].partition("```")[0]
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("torchbend ")]


@pytest.fixture
def flacs(tmp_path: Path, phrase: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder ``flacs`` in the folder that the program runs in.

    Notes of a saxophone, where the shared folder is beside the checkout; or else halves of the two phrases.
    """
    folder = tmp_path / "flacs"
    folder.mkdir()
    notes = sorted((PAGE.parents[2] / "shared" / "audio" / "sax").glob("*.flac"))[:NOTES]
    for path in notes:
        shutil.copyfile(path, folder / path.name)
    for name in () if notes else ("violin", "piano"):
        samples, rate = soundfile.read(phrase(name))
        for number, half in enumerate((samples[: len(samples) // 2], samples[len(samples) // 2 :])):
            soundfile.write(folder / f"{name}{number}.flac", half, rate)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.slow
def test_six_commands_from_a_folder_of_flacs_to_a_checked_instrument(flacs: Path, program: Program) -> None:
    said = {}
    for words in the_six():
        name = words[1] if words[0] == "rave" else words[0]
        result = program(*words, *shlex.split(SMALL[name]))
        assert result.exit_code == 0, f"{words}\n{result.output}"
        said[name] = result.output
    assert list(said) == list(SMALL)
    assert f"found {NOTES} .flac files" in said["duration"]
    assert f"wrote {2 * NOTES} files" in said["resample"]
    assert f"added {2 * NOTES} sounds" in said["preprocess"]
    records = read_records(Path("runs/mine/records.jsonl"))
    assert [r["step"] for r in records if "validation" in r] == [3, 6]
    assert [r["step"] for r in records if "event" in r] == [3]
    facts = json.loads(Path("mine.json").read_text(encoding="utf-8"))
    assert facts["methods"]["forward"] == [1, 1, 1, 1] and facts["sample_rate"] == 44100
    assert "mine.ts: ready, 0 failure(s)" in said["check"]
    loaded = torch.jit.load("mine.ts")  # type: ignore[no-untyped-call]
    assert torch.isfinite(loaded.forward(torch.zeros(1, 1, 2048))).all()
