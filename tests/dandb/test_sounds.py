"""Sounds by name: what is found, what it prints as, and the tensors that it gives."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from dandb import Sounds, get_sounds
from torchbend.audio import read_audio, resample
from torchbend.errors import AudioFileError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three sounds of other rates and channels, one in a folder within, and a file that is none."""
    place = tmp_path / "mine"
    (place / "deep").mkdir(parents=True)
    ramp = np.linspace(-0.5, 0.5, 8000, dtype=np.float32)
    soundfile.write(place / "low.wav", ramp, 8000, subtype="FLOAT")
    soundfile.write(place / "both.flac", np.stack([ramp, -ramp / 2], 1)[:4000], 8000)
    soundfile.write(place / "deep" / "my voice.aiff", 0.25 * np.ones(16000, np.float32), 16000)
    (place / "notes.txt").write_text("no sound")
    return place


def test_the_phrases_by_default(phrase: Callable[[str], Path]) -> None:
    sounds = get_sounds()
    assert sounds.names == ["piano.wav", "violin.wav"] and len(sounds) == 2 and "piano.wav" in sounds
    x = sounds.load("violin.wav", sr=44100)
    assert torch.equal(x[0], read_audio(phrase("violin"))[0]) and x.shape == (1, 1, 352800)
    both = sounds.load("violin", "piano.wav", sr=44100)
    assert torch.equal(both[0], x[0]) and torch.equal(both[1], read_audio(phrase("piano"))[0])
    assert both.dtype == torch.float32
    assert repr(sounds).splitlines() == [
        "2 sounds, 16.0 s",
        "sound       length",
        "----------  --------",
        "piano.wav   8.0 s",
        "violin.wav  8.0 s",
    ]
    assert "<td>piano.wav</td>" in sounds._repr_html_()


def test_all_formats_in_all_folders(folder: Path) -> None:
    sounds = get_sounds(folder)
    assert list(sounds) == ["both.flac", "deep/my voice.aiff", "low.wav"]
    assert "3 sounds, 2.5 s" in str(sounds) and "0.5 s" in str(sounds)
    assert get_sounds(folder / "low.wav").names == ["low.wav"]
    assert get_sounds([folder / "low.wav", folder / "deep"]).names == ["my voice.aiff", "low.wav"]


def test_shorter_ones_are_padded_and_channels_made_one(folder: Path) -> None:
    sounds = get_sounds(folder)
    x = sounds.load("low", "both.flac")
    assert x.shape == (2, 1, 8000)
    low, both = read_audio(folder / "low.wav")[0], read_audio(folder / "both.flac")[0]
    assert torch.equal(x[0], low)
    torch.testing.assert_close(x[1, :, :4000], both.mean(0, keepdim=True))
    assert x[1, :, 4000:].abs().max() == 0
    wide = sounds.load("low", "both", channels=None)
    assert wide.shape == (2, 2, 8000)
    assert torch.equal(wide[0], low.expand(2, -1)) and torch.equal(wide[1, :, :4000], both)
    assert sounds.load("low", channels=3).shape == (1, 3, 8000)


def test_resampled_to_one_rate(folder: Path) -> None:
    sounds = get_sounds(folder)
    x = sounds.load("low.wav", "deep/my voice.aiff", sr=16000)
    assert x.shape == (2, 1, 16000)
    torch.testing.assert_close(
        x[0], resample(read_audio(folder / "low.wav")[0], 8000, 16000), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(x[1], torch.full((1, 16000), 0.25), atol=1e-4, rtol=0)
    with pytest.raises(AudioFileError, match="different sample rates") as caught:
        sounds.load(*sounds.names)
    assert "my voice.aiff: 16000 Hz" in str(caught.value.got) and "sr=16000" in str(caught.value.next_step)


def test_a_part_of_each(folder: Path) -> None:
    x = get_sounds(folder).load("low.wav", start=0.25, seconds=0.5)
    assert torch.equal(x[0], read_audio(folder / "low.wav")[0][:, 2000:6000])


def test_names_are_completed(folder: Path) -> None:
    sounds = get_sounds(folder)
    assert sounds._ipython_key_completions_() == sounds.names
    assert {"low", "both", "deep_my_voice", "load"} <= set(dir(sounds))
    assert sounds.low == sounds["low.wav"] == folder / "low.wav"
    assert sounds.deep_my_voice.name == "my voice.aiff"
    assert torch.equal(sounds.load(sounds.low), sounds.load("low.wav"))
    assert copy.deepcopy(sounds).low == sounds.low
    with pytest.raises(AttributeError, match="nor a sound"):
        _ = sounds.high


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("violn.wav",), "there is no sound 'violn.wav'.*violin.wav"),
        (("cello.wav",), "there is no sound 'cello.wav'.*violin.wav"),
        ((), "which sounds.*'violin.wav'"),
    ],
)
def test_wrong_names_are_told(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(AudioFileError) as caught:
        get_sounds().load(*names)
    assert re.search(said, str(caught.value).replace("\n", " "))


@pytest.mark.parametrize("sr", [0, -1, 44100.5])
def test_wrong_rates_are_told(sr: float) -> None:
    with pytest.raises(AudioFileError, match="unknown sample rate"):
        get_sounds().load("violin", sr=sr)


def test_folders_without_sounds(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioFileError, match="there is no sound file") as caught:
        get_sounds(tmp_path / "empty")
    assert "get_sounds()" in str(caught.value.next_step)
    with pytest.raises(AudioFileError, match="there is no such folder"):
        get_sounds(tmp_path / "none")


def test_a_file_that_cannot_be_read(folder: Path) -> None:
    (folder / "broken.wav").write_bytes(b"RIFF, and nothing else")
    sounds = get_sounds(folder)
    (row,) = [row for row in sounds.table().rows if row[0] == "broken.wav"]
    assert row[1] == "" and row[2]
    assert "trouble" in repr(sounds)
    with pytest.raises(AudioFileError, match=r"broken\.wav"):
        sounds.load("broken", sr=8000)


def test_many_files_are_shown_in_part(folder: Path) -> None:
    for k in range(70):
        soundfile.write(folder / f"n{k:02}.wav", np.zeros(8, np.float32), 8000)
    sounds = get_sounds(folder)
    assert isinstance(sounds, Sounds)
    assert repr(sounds).splitlines()[-1] == "... 13 more: print(sounds) lists all"
    assert str(sounds).count("\n") == 75


def test_two_folders_with_one_name(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    soundfile.write(other / "low.wav", np.zeros(8, np.float32), 8000)
    sounds = get_sounds([folder, other])
    assert str(folder / "low.wav") in sounds.names and str(other / "low.wav") in sounds.names
    assert sounds.load(other / "low.wav").shape == (1, 1, 8)
