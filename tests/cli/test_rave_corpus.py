"""`torchbend rave duration` and `preprocess`: the diary's words, in a folder of sounds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import Result
from typer.testing import CliRunner

from torchbend.cli.main import app
from torchbend.corpus.store import Corpus


def rave(*words: object) -> Result:
    return CliRunner().invoke(app, ["rave", *map(str, words)])


@pytest.fixture
def sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the program runs in, with a folder ``in`` of three sounds, one of them broken."""
    (tmp_path / "in").mkdir()
    for name, seconds in (("a.wav", 20), ("b.wav", 25.5), ("c.flac", 0.5)):
        tone = 0.5 * np.sin(np.arange(round(seconds * 8000)))
        soundfile.write(tmp_path / "in" / name, tone, 8000)
    (tmp_path / "in" / "d.wav").write_bytes(b"nothing")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_duration_in_the_words_of_the_diary(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = rave("duration", "in")
    assert told.exit_code == 0 and told.output == (
        "found 1 .flac file\ntotal duration: 0h 0m 0s\n\n"
        "found 2 .wav files\ntotal duration: 0h 0m 45s\n\n"
        "found 3 files\ntotal duration: 0h 0m 46s\n\n"
        "1 file cannot be read:\n"
        f"  d.wav: {told.output.split('d.wav: ')[1]}"
    )
    monkeypatch.chdir(sounds / "in")
    assert rave("duration", "--ext", "flac").output == "found 1 .flac file\ntotal duration: 0h 0m 0s\n"


def test_duration_fails_where_nothing_can_be_read(sounds: Path) -> None:
    only = rave("duration", "in/d.wav")
    assert only.exit_code == 1 and only.output.startswith("1 file cannot be read:\n")
    assert rave("duration", "nowhere").exit_code == 1


def test_preprocess_tells_what_it_took_and_what_it_refused(sounds: Path) -> None:
    told = rave("preprocess", "--input", "in", "--output", "db", "--sr", 16000, "--channels", 2)
    assert told.exit_code == 0
    assert f"{sounds / 'db'}: 2 sounds, 0h 0m 45s\nadded 2 sounds, 0h 0m 45s" in told.output
    assert "in/c.flac  too short   0.50 s, shorter than 8.19 s" in told.output
    assert "in/d.wav   unreadable" in told.output
    corpus = Corpus.open("db")
    assert (corpus.sample_rate, corpus.channels, len(corpus)) == (16000, 2, 2)
    assert len(json.loads(Path("db/report.json").read_text())["rejected"]) == 2


def test_preprocess_takes_the_words_of_the_original(sounds: Path) -> None:
    first = ("preprocess", "--input_path", "in", "--output_path", "db", "--sampling_rate", 8000)
    told = rave(*first, "--num_signal", 3000, "--max_db_size", 100, "--dyndb", "--no-lazy")
    assert told.exit_code == 0 and "added 3 sounds" in told.output
    again = rave("preprocess", "--output", "db", "--sr", 8000, "--num-signal", 3000, "in")
    assert "added 0 sounds, 0h 0m 0s; 3 sounds were there already" in again.output
    lazy = rave(*first, "--lazy")
    assert lazy.exit_code == 1 and "extend it with --sr 8000 --channels 1" in lazy.output


def test_preprocess_that_takes_nothing_fails(sounds: Path) -> None:
    told = rave("preprocess", "--input", "in", "--output", "db", "--num-signal", 10**7)
    assert told.exit_code == 1 and "0 sounds" in told.output and "too short" in told.output
    assert rave("preprocess", "--output", "db").exit_code == 2


def test_help_does_not_wait_for_torch() -> None:
    program = (
        "import sys\nfrom torchbend.cli.main import app\n"
        "for name in ('duration', 'preprocess'):\n"
        "    try:\n        app(['rave', name, '--help'])\n    except SystemExit:\n        pass\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert answer.returncode == 0 and "0h" not in answer.stdout and "--num-signal" in answer.stdout
