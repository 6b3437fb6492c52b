"""How much sound there is: found at any depth, counted by format, in the words of the diary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from torchbend.corpus.durations import Duration, in_words, measure, totals
from torchbend.corpus.files import find_sounds
from torchbend.errors import CorpusError


def write(path: Path, seconds: float, rate: int = 1000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * rate)), rate)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four WAV files of 12 min 52 s, two FLAC files in folders below, and what is no sound."""
    for k in range(4):
        write(tmp_path / f"{k}.{'wav' if k % 2 else 'WAV'}", 193.1)
    write(tmp_path / "a" / "b" / "x.flac", 30, 8000)
    write(tmp_path / "a" / "y.flac", 1.5, 16000)
    write(tmp_path / ".trash" / "z.wav", 5)
    write(tmp_path / "._0.wav", 5)
    (tmp_path / "notes.txt").write_text("no sound")
    (tmp_path / "broken.mp3").write_bytes(b"no sound either")
    return tmp_path


def test_files_are_found_at_any_depth_in_order(folder: Path) -> None:
    found = find_sounds([folder])
    names = ["0.WAV", "1.wav", "2.WAV", "3.wav", "a/b/x.flac", "a/y.flac", "broken.mp3"]
    assert [file.relative for file in found] == names
    assert [file.relative for file in find_sounds([folder], ["flac"])] == names[4:6]
    assert [file.relative for file in find_sounds([folder / "a", folder / "1.wav", folder / "1.wav"])] == [
        "1.wav",
        "b/x.flac",
        "y.flac",
    ]
    assert found[4].size == (folder / "a/b/x.flac").stat().st_size and found[0].suffix == ".wav"


def test_links_are_followed_once(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "link").symlink_to(folder, target_is_directory=True)
    (folder / "a" / "back").symlink_to(folder, target_is_directory=True)
    assert len(find_sounds([other])) == 7


def test_what_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(CorpusError, match="no such folder"):
        find_sounds([folder / "nowhere"])
    with pytest.raises(CorpusError, match="no sound file") as told:
        find_sounds([folder], ["ogg"])
    assert "--ext" in str(told.value)


def test_each_format_has_its_count_and_duration(folder: Path) -> None:
    measured = measure(find_sounds([folder]), progress=False)
    found = totals(measured)
    assert [(d.suffix, d.files) for d in found] == [(".flac", 2), (".wav", 4)]
    assert found[0].seconds == 31.5 and found[1].seconds == pytest.approx(772.4)
    assert found[1].text() == "found 4 .wav files\ntotal duration: 0h 12m 52s"
    (broken,) = [one for one in measured if one.trouble]
    assert broken.file.relative == "broken.mp3" and "cannot be read as sound" in broken.trouble


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0h 0m 0s"), (59.9, "0h 0m 59s"), (37872, "10h 31m 12s"), (360000, "100h 0m 0s")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_one_file_is_one_file() -> None:
    assert Duration(".ogg", 1, 2).text().startswith("found 1 .ogg file\n")
    assert Duration("", 12, 2).text().startswith("found 12 files\n")
