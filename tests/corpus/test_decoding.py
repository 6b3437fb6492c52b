"""Any sound file comes as blocks of the wanted rate and channels, or an error names the file."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from torchbend.corpus import decoding, media
from torchbend.corpus.decoding import decode, decode_blocks, probe, with_channels
from torchbend.corpus.sources import BLOCK
from torchbend.errors import AudioFileError, MissingExtraError

RATE = 44100


def sine(frequency: float, seconds: float, rate: int, level: float = 0.5) -> np.ndarray:
    """A tone as [n] float32."""
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    """Four seconds at 44.1 kHz: a tone of 440 Hz left, noise right."""
    left = sine(440, 4, RATE)
    right = np.random.default_rng(0).uniform(-0.5, 0.5, len(left)).astype(np.float32)
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([left, right], 1), RATE, subtype="FLOAT")
    return path


def test_a_file_tells_its_facts(stereo: Path) -> None:
    facts = probe(stereo)
    assert (facts.frames, facts.sample_rate, facts.channels, facts.seconds) == (4 * RATE, RATE, 2, 4.0)


def test_samples_come_as_they_are_stored(stereo: Path) -> None:
    stored, _ = soundfile.read(stereo, dtype="float32")
    blocks = list(decode_blocks(stereo))
    assert max(block.shape[1] for block in blocks) <= BLOCK < 4 * RATE
    assert all(block.dtype == np.float32 for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks, 1), stored.T)


@pytest.mark.parametrize("rate", [48000, 16000, 44101, 96000])
def test_another_rate_keeps_the_tone_and_the_length(stereo: Path, rate: int) -> None:
    found = decode(stereo, sample_rate=rate)
    assert found.shape == (2, 4 * rate)
    inner = slice(rate // 4, -rate // 4)
    assert np.abs(found[0] - sine(440, 4, rate))[inner].max() < 1e-4


@pytest.mark.parametrize("rate", [None, 48000, 16000])
def test_a_part_is_the_same_as_a_cut_of_the_whole(stereo: Path, rate: int | None) -> None:
    whole = decode(stereo, sample_rate=rate)
    hz = rate or RATE
    for start, seconds in ((0.0, 1.0), (1.2345, 0.5), (2.0, 10.0), (3.999, None)):
        part = decode(stereo, sample_rate=rate, start=start, seconds=seconds)
        first = round(start * hz)
        wanted = whole[:, first : None if seconds is None else first + round(seconds * hz)]
        assert part.shape == wanted.shape
        assert np.abs(part - wanted).max() < 2e-6


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("mp3", None), ("ogg", "VORBIS"), ("ogg", "OPUS"), ("flac", None)]
)
def test_compressed_files_are_entered_at_the_right_sample(
    tmp_path: Path, suffix: str, subtype: str | None
) -> None:
    rate = 48000
    path = tmp_path / f"sweep.{suffix}"
    time = np.arange(8 * rate) / rate
    sweep = 0.3 * np.sin(2 * np.pi * (200 + 60 * time) * time)
    soundfile.write(path, sweep, rate, subtype=subtype)
    whole = decode(path)
    assert np.abs(whole[0] - sweep)[1000:-1000].max() < 0.03
    # libsndfile is some hundred frames off in the last page of Ogg Vorbis: not tried there.
    for start in (0.1, 0.7, 2.345, 5.4):
        part = decode(path, start=start, seconds=0.5)
        np.testing.assert_allclose(part, whole[:, round(start * rate) :][:, : rate // 2], atol=1e-6)


def test_behind_the_end_there_is_nothing(stereo: Path) -> None:
    assert list(decode_blocks(stereo, start=5)) == []
    with pytest.raises(AudioFileError, match=r"no sound to read[\s\S]*stereo.wav"):
        decode(stereo, start=5)


def test_channels_are_averaged_and_repeated() -> None:
    block = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert with_channels(block, 1).tolist() == [[2, 3]]
    assert with_channels(block, 2).tolist() == [[2, 3], [2, 3]]
    assert with_channels(block, 5).tolist() == [[0, 1], [2, 3], [4, 5], [0, 1], [2, 3]]
    assert with_channels(block, 3) is block


def test_channels_of_a_file(stereo: Path) -> None:
    both = decode(stereo, 48000)
    np.testing.assert_allclose(decode(stereo, 48000, channels=1)[0], both.mean(0), atol=1e-5)
    np.testing.assert_array_equal(decode(stereo, 48000, channels=3), both[[0, 1, 0]])


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "no such file"), (b"", "empty"), (b"RIFF not a sound at all" * 9, "cannot be read as sound")],
)
def test_what_is_no_sound_is_named(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "odd.wav"
    if content is not None:
        path.write_bytes(content)
    for verb in (probe, decode):
        with pytest.raises(AudioFileError, match=rf"{told}[\s\S]*odd.wav"):
            verb(path)
    with pytest.raises(AudioFileError, match="a folder is not"):
        probe(tmp_path)


def test_a_damaged_file_is_named_where_it_breaks(tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, RATE * 3), RATE)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40000] = b"\xff" * 40000
    path.write_bytes(data)
    with pytest.raises(AudioFileError, match=r"cut.flac[\s\S]*damaged"):
        decode(path)


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    soundfile.write(path, np.array([0.0, np.nan, 0.5]), RATE, subtype="FLOAT")
    with pytest.raises(AudioFileError, match="NaN or infinite"):
        decode(path)


@pytest.mark.parametrize("words", [{"sample_rate": 0}, {"channels": 0}, {"start": -1.0}, {"seconds": 0.0}])
def test_arguments_out_of_range_are_refused(stereo: Path, words: dict[str, float]) -> None:
    with pytest.raises(AudioFileError, match="cannot be decoded so"):
        decode(stereo, **words)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of AAC in an MP4 container: 440 Hz left, 660 Hz right."""
    av = pytest.importorskip("av")
    path = tmp_path_factory.mktemp("film") / "film.m4a"
    both = np.stack([sine(440, 2, RATE), sine(660, 2, RATE)])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="stereo", bit_rate=256000)
        for at in range(0, both.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(both[:, at : at + 1024].copy(), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_film_is_read_through_pyav(film: Path) -> None:
    facts = probe(film)
    assert (facts.sample_rate, facts.channels) == (RATE, 2)
    assert facts.seconds == pytest.approx(2, abs=0.05)
    found = decode(film)
    inner = slice(8000, 80000)
    assert np.abs(found[1, inner] - sine(660, 2, RATE)[inner]).max() < 0.03
    np.testing.assert_array_equal(decode(film), found)
    part = decode(film, start=1.0, seconds=0.5)
    np.testing.assert_allclose(part, found[:, RATE : RATE + RATE // 2], atol=0.02)
    assert decode(film, sample_rate=48000, channels=1).shape[0] == 1


def test_without_pyav_and_ffmpeg_a_film_names_the_extra(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"film.m4a[\s\S]*torchbend\[media\]"):
        probe(film)


FFMPEG = """#!{python}
import struct, sys
import numpy as np
words = sys.argv
path = words[words.index("-i") + 1].removeprefix("file:")
data = open(path, "rb").read()
if data.startswith(b"broken"):
    sys.exit("Invalid data found")
sys.stdout.buffer.write(struct.pack(">4sIIIII", b".snd", 28, 0xFFFFFFFF, 6, 8000, 2) + b"note")
sys.stdout.buffer.write(np.frombuffer(data, np.float32).astype(">f4").tobytes())
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program ``ffmpeg`` that writes a file's floats as two channels at 8 kHz, and no PyAV."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "ffmpeg"
    program.write_text(FFMPEG.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "av", None)
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_ffmpeg_takes_the_place_of_pyav(stand_in: Path) -> None:
    sound = np.random.default_rng(2).uniform(-1, 1, (100000, 2)).astype(np.float32)
    path = stand_in / "sound.wma"
    path.write_bytes(sound.tobytes())
    assert media.media_opener() is media.open_ffmpeg
    assert probe(path) == decoding.SoundFacts(100000, 8000, 2, 12.5)
    np.testing.assert_array_equal(decode(path), sound.T)
    np.testing.assert_array_equal(decode(path, start=9.0, seconds=1.0), sound.T[:, 72000:80000])
    path.write_bytes(b"broken")
    with pytest.raises(AudioFileError, match=r"sound.wma[\s\S]*Invalid data found"):
        probe(path)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg program")
def test_ffmpeg_and_pyav_agree(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    through_pyav = decode(film)
    monkeypatch.setitem(sys.modules, "av", None)
    through_ffmpeg = decode(film)
    count = min(through_pyav.shape[1], through_ffmpeg.shape[1])
    np.testing.assert_allclose(through_ffmpeg[:, :count], through_pyav[:, :count], atol=1e-4)
