"""A folder of any sounds becomes WAV files of one rate: the same for the same words, sources untouched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from torchbend.cli.main import app
from torchbend.corpus.augmentation import Augmentation
from torchbend.corpus.conversion import Conversion
from torchbend.corpus.loudness import integrated_loudness, loudness_gain
from torchbend.corpus.planning import plan
from torchbend.corpus.record import read_record
from torchbend.corpus.resampling import resample_folder
from torchbend.corpus.silence import sounding, without_silence
from torchbend.errors import CorpusError

RATE = 16000
TO = Conversion(8000)


def tone(seconds: float, frequency: float = 300.0, level: float = 0.3, rate: int = RATE) -> np.ndarray:
    """A sine as [n] float32."""
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Two sounds, one of them deeper and stereo, and what cannot be used."""
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    soundfile.write(folder / "a.wav", tone(1.0), RATE)
    soundfile.write(folder / "deep" / "b.flac", np.stack([tone(0.5), tone(0.5, 500)], 1), RATE)
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(folder / "short.wav", tone(0.05), RATE)
    (folder / "broken.wav").write_bytes(b"RIFF and nothing else")
    (folder / "notes.txt").write_text("no sound", encoding="utf-8")
    return folder


def state(folder: Path) -> dict[str, tuple[str, int]]:
    """A digest and the time of writing of each visible file."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def bytes_of(folder: Path) -> dict[str, str]:
    """The digest of each sound of a folder."""
    return {name: digest for name, (digest, _) in state(folder).items() if name.endswith(".wav")}


def test_every_readable_sound_is_converted_and_the_others_are_told(sounds: Path, tmp_path: Path) -> None:
    before = state(sounds)
    report = resample_folder(sounds, tmp_path / "out", TO)
    assert state(sounds) == before
    assert sorted(bytes_of(tmp_path / "out")) == ["a.wav", "deep/b.wav"]
    facts = soundfile.info(tmp_path / "out" / "deep" / "b.wav")
    assert (facts.samplerate, facts.channels, facts.frames, facts.subtype) == (8000, 1, 4000, "PCM_16")
    found, _ = soundfile.read(tmp_path / "out" / "a.wav")
    assert np.abs(found - tone(1.0, rate=8000))[500:-500].max() < 1e-3
    why = {name: text.split(":")[0] for name, text in report.rejected.items()}
    wanted = {
        "silent.wav": "silent",
        "short.wav": "too short",
        "broken.wav": "the file cannot be read as sound",
    }
    assert why == wanted
    assert (report.sources, report.written, report.kept) == (4, 2, 0)
    assert report.written_seconds == pytest.approx(1.5)


def test_the_record_tells_what_each_file_was_made_of(sounds: Path, tmp_path: Path) -> None:
    ranges = Augmentation(seed=5)
    resample_folder(sounds, tmp_path / "out", TO, ranges, copies=2)
    record = json.loads((tmp_path / "out" / "augmentation.json").read_text())
    assert record["version"] == 1 and sorted(record["rejected"]) == ["broken.wav", "short.wav", "silent.wav"]
    assert sorted(record["sounds"]) == sorted(bytes_of(tmp_path / "out"))
    entry = record["sounds"]["deep/b_002.wav"]
    drawn = ranges.draw("deep/b.flac", 2)
    assert (entry["source"], entry["copy"], entry["pitch"]) == ("deep/b.flac", 2, drawn.pitch)
    assert (entry["speed"], entry["gain"], entry["low_pass"]) == (drawn.speed, drawn.gain, drawn.low_pass)
    assert entry["seconds"] == pytest.approx(0.5 / drawn.speed, abs=1e-3)
    assert soundfile.info(tmp_path / "out" / "deep" / "b_002.wav").duration == pytest.approx(entry["seconds"])


def test_the_same_call_goes_on_and_another_does_anew_what_differs(sounds: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    resample_folder(sounds, out, TO, Augmentation(), copies=1)
    first = state(out)
    (out / "deep" / "b_001.wav").unlink()
    half = out / "deep" / ".b_001-0123456789ab.wav"
    half.write_bytes(b"what a killed run leaves")
    again = resample_folder(sounds, out, TO, Augmentation(), copies=2)
    assert (again.kept, again.written) == (3, 3)
    assert not half.exists()
    after = state(out)
    assert {name: digest for name, (digest, _) in first.items() if name.endswith("wav")}.items() <= bytes_of(
        out
    ).items()
    assert after["a_001.wav"] == first["a_001.wav"]
    other = resample_folder(sounds, out, TO, Augmentation(seed=1), copies=1)
    assert (other.kept, other.written, other.others) == (2, 2, 2)
    assert bytes_of(out)["a_001.wav"] != first["a_001.wav"][0]


def test_a_changed_source_is_done_again(sounds: Path, tmp_path: Path) -> None:
    resample_folder(sounds, tmp_path / "out", TO)
    soundfile.write(sounds / "a.wav", tone(0.7), RATE)
    report = resample_folder(sounds, tmp_path / "out", TO)
    assert (report.kept, report.written) == (1, 1)
    soundfile.write(sounds / "a.wav", np.zeros(9000), RATE)
    resample_folder(sounds, tmp_path / "out", TO)
    assert sorted(bytes_of(tmp_path / "out")) == ["deep/b.wav"] == sorted(read_record(tmp_path / "out"))


@pytest.mark.parametrize("how", [{"workers": 2}, pytest.param({"ray": True}, marks=pytest.mark.slow)])
def test_workers_and_a_cluster_write_the_same_bytes(
    sounds: Path, tmp_path: Path, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "ray" in how:
        pytest.importorskip("ray")
        monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    resample_folder(sounds, tmp_path / "alone", TO, Augmentation(seed=2), copies=2)
    resample_folder(sounds, tmp_path / "many", TO, Augmentation(seed=2), copies=2, **how)
    assert len(bytes_of(tmp_path / "alone")) == 6
    assert bytes_of(tmp_path / "many") == bytes_of(tmp_path / "alone")
    assert read_record(tmp_path / "many") == read_record(tmp_path / "alone")


def test_the_output_may_lie_inside_the_sources_and_is_no_source(sounds: Path) -> None:
    for _ in range(2):
        report = resample_folder(sounds, sounds / "out_8000", TO)
        assert report.sources == 4
    assert resample_folder(sounds, sounds / "out_4000", Conversion(4000)).sources == 4


def test_nothing_foreign_is_overwritten(sounds: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="folder of the sources"):
        resample_folder(sounds, sounds, TO)
    with pytest.raises(CorpusError, match="overwrite a source"):
        resample_folder(sounds / "a.wav", sounds, TO)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.wav").write_bytes(b"precious")
    with pytest.raises(CorpusError, match=r"not made by resampling[\s\S]*--output"):
        resample_folder(sounds, tmp_path / "mine", TO)
    assert (tmp_path / "mine" / "a.wav").read_bytes() == b"precious"
    with pytest.raises(CorpusError, match="no such folder"):
        resample_folder(tmp_path / "nowhere", tmp_path / "out", TO)


def test_names_never_meet(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("x.wav", "x.flac", "y.wav", "y_001.wav"):
        soundfile.write(folder / name, tone(0.2), RATE)
    resample_folder(folder, tmp_path / "out", TO, Augmentation(), copies=1)
    assert len(bytes_of(tmp_path / "out")) == 8
    assert {"x.wav.wav", "x.flac_001.wav", "y.wav.wav", "y_001.wav", "y_001_001.wav"} <= set(
        bytes_of(tmp_path / "out")
    )


def test_long_sounds_are_cut_into_pieces(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", tone(3.2), RATE)
    report = resample_folder(tmp_path / "long.wav", tmp_path / "out", TO, piece=1.0)
    names = ["long_from_0s.wav", "long_from_1s.wav", "long_from_2s.wav"]
    assert sorted(bytes_of(tmp_path / "out")) == names
    assert report.written_seconds == pytest.approx(3.2, abs=1e-3)
    sound = np.concatenate([soundfile.read(tmp_path / "out" / name)[0] for name in names])
    error = np.abs(sound - tone(3.2, rate=8000))
    near_a_cut = np.minimum(np.arange(len(error)) % 8000, -np.arange(len(error)) % 8000) < 60
    assert error[~near_a_cut][60:-60].max() < 1e-3


def test_hours_are_met_and_copies_have_to_differ(sounds: Path, tmp_path: Path) -> None:
    for name in ("silent", "short", "broken"):
        (sounds / f"{name}.wav").unlink()
    report = resample_folder(sounds, tmp_path / "out", TO, Augmentation(), hours=6 / 3600)
    assert 6 <= report.written_seconds < 7.2
    with pytest.raises(CorpusError, match="--augment"):
        resample_folder(sounds, tmp_path / "more", TO, copies=3)
    assert plan([], tmp_path, TO, Augmentation(), hours=1.0) == []


def test_loudness_is_that_of_the_standard() -> None:
    """A sine of 997 Hz at full scale has -3.01 LKFS in one channel (BS.1770); a second one adds 3.01."""
    for rate in (48000, 44100, 16000):
        sine = tone(3.0, 997.0, 1.0, rate)[None]
        assert integrated_loudness(sine, rate) == pytest.approx(-3.01, abs=0.03)
        assert integrated_loudness(np.repeat(sine, 2, 0), rate) == pytest.approx(0.0, abs=0.03)
    with_pause = np.concatenate([sine * 0.1, np.zeros_like(sine)], 1)
    assert integrated_loudness(with_pause, rate) == pytest.approx(-23.01, abs=0.35)
    assert integrated_loudness(np.zeros((1, 9000), np.float32), rate) == -np.inf
    assert loudness_gain(sine, rate, -14.0) == pytest.approx(-10.99, abs=0.03)
    assert loudness_gain(sine * 1e-3, rate, -14.0) == 12.0


def test_loudness_and_full_scale_on_the_way(sounds: Path, tmp_path: Path) -> None:
    resample_folder(sounds / "a.wav", tmp_path / "loud", Conversion(8000, loudness=-20.0))
    found, _ = soundfile.read(tmp_path / "loud" / "a.wav", dtype="float32")
    assert integrated_loudness(found[None], 8000) == pytest.approx(-20, abs=0.1)
    resample_folder(sounds / "a.wav", tmp_path / "full", Conversion(8000, normalise=True))
    found, _ = soundfile.read(tmp_path / "full" / "a.wav")
    assert np.abs(found).max() == pytest.approx(1, abs=1e-3)


def test_channels_are_kept_where_asked_and_stay_together(sounds: Path, tmp_path: Path) -> None:
    keep = Conversion(8000, channels=None)
    resample_folder(sounds / "deep" / "b.flac", tmp_path / "out", keep, Augmentation(bells=1), copies=1)
    found, _ = soundfile.read(tmp_path / "out" / "b.wav", dtype="float32")
    assert found.shape == (4000, 2)
    for channel, frequency in enumerate((300, 500)):
        wanted = tone(0.5, frequency, rate=8000)
        assert np.abs(found[:, channel] - wanted)[400:-400].max() < 1e-3
    altered, _ = soundfile.read(tmp_path / "out" / "b_001.wav", dtype="float32")
    assert altered.shape[1] == 2
    peaks = np.abs(np.fft.rfft(altered, axis=0)).argmax(0)
    assert peaks[1] / peaks[0] == pytest.approx(500 / 300, rel=0.02)


def test_silence_is_cut_and_what_sounds_is_kept() -> None:
    quiet = np.zeros(RATE, np.float32)
    sound = np.concatenate([quiet, tone(1.0), quiet, tone(1.0), quiet[:1000]])[None]
    spans = sounding(sound, RATE)
    assert spans == [(15200, 36000), (47200, len(sound[0]))]
    found = without_silence(sound, RATE)
    assert found.shape[1] == 20800 + len(sound[0]) - 47200
    np.testing.assert_array_equal(found[0, 800:16800], sound[0, 16000:32000])
    assert without_silence(quiet[None], RATE).shape == (1, 0)
    steady = tone(1.0)[None]
    assert without_silence(steady, RATE) is steady


@pytest.fixture
def program(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs ``torchbend rave resample`` in the folder of sounds, in one process."""
    monkeypatch.chdir(sounds)
    return lambda *words: CliRunner().invoke(app, ["rave", "resample", "--workers", "1", *words])


def test_the_command_works_where_you_are(program: Callable[..., Any], sounds: Path) -> None:
    words = ("--sr", "8000", "--augment", "--copies", "3", "--pitch", "-1,1", "--seed", "7")
    answer = program(*words)
    assert answer.exit_code == 0, answer.output
    assert len(bytes_of(sounds / "out_8000")) == 8
    assert "found 4 sounds" in answer.output and "wrote 8 files" in answer.output
    assert "silent.wav: silent" in answer.output and "hours of sound in a minute" in answer.output
    record = read_record(sounds / "out_8000")
    assert all(abs(entry["pitch"]) <= 1 for entry in record.values())
    assert "kept 8 files" in program(*words).output


def test_the_command_ends_in_words(program: Callable[..., Any], tmp_path: Path) -> None:
    assert program("--copies", "3").exit_code == 2
    assert "two numbers" in program("--augment", "--pitch", "2,-2").output
    nothing = program("--input", "silent.wav", "--output", str(tmp_path / "none"))
    assert nothing.exit_code == 1 and "silent" in nothing.output
    assert program("--input", "nowhere").exit_code == 1
