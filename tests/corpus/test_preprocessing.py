"""From folders to a corpus: what is refused and why, going on after a kill, the same for many workers."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from torchbend.corpus import ingest, preprocessing, writing
from torchbend.corpus.decoding import decode
from torchbend.corpus.ingest import Limits
from torchbend.corpus.layout import index_path, read_entries, samples_path
from torchbend.corpus.preprocessing import preprocess
from torchbend.corpus.store import Corpus
from torchbend.errors import CorpusError

RATE = 8000
LIMITS = Limits(frames=4000)


def tone(seconds: float, rate: int = RATE, level: float = 0.5, frequency: float = 200) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return level * np.sin(2 * np.pi * frequency * time)


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)
    return path


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A folder ``sounds`` of twelve tones in two formats, at two rates, in two folders."""
    folder = tmp_path / "sounds"
    for k in range(12):
        suffix, rate = ((".wav", RATE), (".flac", 11025))[k % 2]
        sound = tone(0.6 + 0.1 * k, rate, frequency=100 + 50 * k)
        write(folder / ("deep" if k > 8 else "") / f"t{k:02}{suffix}", sound, rate)
    return folder


def contents(db: Path) -> dict[str, bytes]:
    corpus = Corpus.open(db)
    return {sound.name: corpus.read(k).tobytes() for k, sound in enumerate(corpus.sounds)}


def test_every_sound_is_there_at_the_rate_of_the_corpus(sounds: Path, tmp_path: Path) -> None:
    report = preprocess([sounds], tmp_path / "db", RATE, 2, limits=LIMITS)
    corpus = Corpus.open(tmp_path / "db")
    assert len(corpus) == report.sounds == report.added == 12 and not report.rejected
    assert corpus.seconds == pytest.approx(sum(0.6 + 0.1 * k for k in range(12)), rel=1e-4)
    for k, sound in enumerate(corpus.sounds):
        whole = decode(sound.source, RATE, 2)
        assert np.abs(corpus.read(k) - whole).max() <= 0.51 / 32768
        assert sound.name == f"sounds/{Path(sound.source).relative_to(sounds).as_posix()}"
    assert corpus.sounds[0].name == "sounds/deep/t09.flac" and corpus.sounds[0].group == "deep/t09.flac"


def test_what_is_refused_is_told_with_the_reason(sounds: Path, tmp_path: Path) -> None:
    write(sounds / "short.wav", tone(0.2))
    write(sounds / "silent.wav", np.zeros(5000))
    write(sounds / "faint.wav", tone(1, level=5e-4))
    write(sounds / "loud.wav", np.clip(tone(1, level=2), -1, 1))
    (sounds / "broken.wav").write_bytes(b"RIFF nothing")
    (sounds / "empty.flac").touch()
    (sounds / "notes.txt").write_text("not counted")
    write(sounds / ".hidden.wav", tone(1))
    report = preprocess([sounds], tmp_path / "db", RATE, 1, limits=LIMITS)
    refused = {name.removeprefix("sounds/"): (why, detail) for name, why, detail in report.rejected}
    assert {name: why for name, (why, _) in refused.items()} == {
        "short.wav": "too short",
        "silent.wav": "silent",
        "faint.wav": "silent",
        "broken.wav": "unreadable",
        "empty.flac": "unreadable",
    }
    assert refused["short.wav"][1].startswith("0.20 s, shorter than 0.50 s")
    assert "-66 dB" in refused["faint.wav"][1] and "digital silence" in refused["silent.wav"][1]
    assert [name for name, _ in report.clipped] == ["sounds/loud.wav"] and report.clipped[0][1] > 1000
    assert report.sounds == 13 and "clipped, kept" in report.summary()
    written = json.loads((tmp_path / "db" / "report.json").read_text())
    assert len(written["rejected"]) == 5 and written["sounds"] == 13
    assert written["rejected"][0]["name"] == "sounds/broken.wav"
    held = sum(sound.frames for sound in Corpus.open(tmp_path / "db").sounds)
    assert samples_path(tmp_path / "db", 0).stat().st_size == 2 * held  # nothing is left of what was refused


def test_short_sounds_are_padded_where_that_is_asked_for(sounds: Path, tmp_path: Path) -> None:
    write(sounds / "a.wav", tone(0.2))
    write(sounds / "b.wav", np.zeros(0))
    report = preprocess([sounds], tmp_path / "db", RATE, 1, limits=Limits(4000, pad=True))
    corpus = Corpus.open(tmp_path / "db")
    assert [why for _, why, _ in report.rejected] == ["too short"] and corpus.sounds[0].frames == 4000
    assert not corpus.read(0, 1600, 2400).any() and corpus.read(0, 0, 1600).std() > 0.3


def test_a_second_run_skips_what_is_there(sounds: Path, tmp_path: Path) -> None:
    write(sounds / "short.wav", tone(0.1))
    preprocess([sounds], tmp_path / "db", RATE, 1, limits=LIMITS)
    before = index_path(tmp_path / "db").read_bytes()
    report = preprocess([sounds], tmp_path / "db", RATE, 1, limits=LIMITS)
    assert (report.added, report.skipped, report.sounds, len(report.rejected)) == (0, 12, 12, 1)
    assert index_path(tmp_path / "db").read_bytes() == before
    again = preprocess([sounds], tmp_path / "db", RATE, 1, limits=Limits(frames=400))
    assert (again.added, again.sounds, again.rejected) == (1, 13, ())


def test_what_has_changed_is_read_anew_and_told(sounds: Path, tmp_path: Path) -> None:
    preprocess([sounds], tmp_path / "db", RATE, 1, limits=LIMITS)
    write(sounds / "t00.wav", tone(2, frequency=1000))
    (sounds / "t02.wav").unlink()
    write(sounds / "new.wav", tone(1))
    report = preprocess([sounds], tmp_path / "db", RATE, 1, limits=LIMITS)
    assert report.changed == ("sounds/t00.wav",) and report.gone == ("sounds/t02.wav",)
    assert report.added == 2 and report.sounds == 13
    assert "read anew: sounds/t00.wav" in report.summary()
    corpus = Corpus.open(tmp_path / "db")
    index = [sound.name for sound in corpus.sounds].index("sounds/t00.wav")
    assert np.abs(corpus.read(index) - tone(2, frequency=1000)).max() < 1e-4


def test_another_folder_extends_the_corpus(sounds: Path, tmp_path: Path) -> None:
    write(tmp_path / "more" / "t00.wav", tone(1))
    preprocess([sounds], tmp_path / "db", RATE, 1, limits=LIMITS)
    report = preprocess([tmp_path / "more"], tmp_path / "db", RATE, 1, limits=LIMITS)
    assert report.sounds == 13 and report.added == 1
    both = preprocess([sounds, tmp_path / "more"], tmp_path / "db2", RATE, 1, limits=LIMITS)
    assert both.sounds == 13 and contents(tmp_path / "db") == contents(tmp_path / "db2")


def test_two_files_of_one_name_are_refused(sounds: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "sounds"
    write(other / "t00.wav", tone(1))
    with pytest.raises(CorpusError, match="same name"):
        preprocess([sounds, other], tmp_path / "db", RATE, 1, limits=LIMITS)
    preprocess([sounds], tmp_path / "db", RATE, 1, limits=LIMITS)
    with pytest.raises(CorpusError, match="same name"):
        preprocess([other], tmp_path / "db", RATE, 1, limits=LIMITS)


def test_a_folder_that_moved_is_known_again(sounds: Path, tmp_path: Path) -> None:
    preprocess([sounds], tmp_path / "db", RATE, 1, limits=LIMITS)
    (tmp_path / "elsewhere").mkdir()
    moved = sounds.rename(tmp_path / "elsewhere" / "sounds")
    assert preprocess([moved], tmp_path / "db", RATE, 1, limits=LIMITS).skipped == 12


@pytest.mark.parametrize("place", ["nowhere", "empty"])
def test_nothing_to_read_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="there is no"):
        preprocess([tmp_path / place], tmp_path / "db")
    assert not (tmp_path / "db").exists()


def test_another_rate_is_refused_before_anything_is_read(sounds: Path, tmp_path: Path) -> None:
    preprocess([sounds], tmp_path / "db", RATE, 1, limits=LIMITS)
    with pytest.raises(CorpusError, match="of another kind"):
        preprocess([sounds], tmp_path / "db", 16000, 1, limits=LIMITS)


def test_copies_belong_to_their_original(tmp_path: Path) -> None:
    pieces = ("a/l_from_0s.wav", "a/l_from_120s.wav", "a/l_from_120s_001.wav")
    for name in ("a/x_1.wav", "a/x_2.wav", "a/deep/y_1.wav", "b/z.wav", *pieces):
        write(tmp_path / "in" / name, tone(1))
    made = {
        "x_1.wav": {"source": "x.flac"},
        "x_2.wav": {"source": "x.flac"},
        "deep/y_1.wav": {"source": "y.mp3"},
        "l_from_0s.wav": {"source": "l.wav", "start": 0.0},
        "l_from_120s.wav": {"source": "l.wav", "start": 120.0},
        "l_from_120s_001.wav": {"source": "l.wav", "start": 120.0},
    }
    listed = tmp_path / "in" / "a" / "augmentation.json"
    listed.write_text(json.dumps({"version": 1, "sounds": made}))
    preprocess([tmp_path / "in"], tmp_path / "db", RATE, 1, limits=LIMITS)
    groups = {sound.name: sound.group for sound in Corpus.open(tmp_path / "db").sounds}
    assert groups == {
        "in/a/deep/y_1.wav": "y.mp3",
        "in/a/l_from_0s.wav": "l.wav from 0 s",
        "in/a/l_from_120s.wav": "l.wav from 120 s",
        "in/a/l_from_120s_001.wav": "l.wav from 120 s",
        "in/a/x_1.wav": "x.flac",
        "in/a/x_2.wav": "x.flac",
        "in/b/z.wav": "b/z.wav",
    }
    listed.write_text("{}")
    with pytest.raises(CorpusError, match="augmented sounds"):
        preprocess([tmp_path / "in"], tmp_path / "db", RATE, 1, limits=LIMITS)


def test_a_lazy_corpus_holds_no_samples_and_reads_the_same(sounds: Path, tmp_path: Path) -> None:
    write(sounds / "short.wav", tone(0.1))
    (sounds / "broken.wav").write_bytes(b"RIFF nothing")
    report = preprocess([sounds], tmp_path / "lazy", RATE, 1, lazy=True, limits=LIMITS)
    preprocess([sounds], tmp_path / "db", RATE, 1, limits=LIMITS)
    lazy, stored = Corpus.open(tmp_path / "lazy"), Corpus.open(tmp_path / "db")
    assert {why for _, why, _ in report.rejected} == {"too short", "unreadable"}
    assert lazy.lazy and not list((tmp_path / "lazy").glob("*.i16"))
    assert [(s.name, s.frames, s.group) for s in lazy.sounds] == [
        (s.name, s.frames, s.group) for s in stored.sounds
    ]
    for k in (0, 5, 11):
        assert np.abs(lazy.read(k, 1111, 999) - stored.read(k, 1111, 999)).max() < 1e-4


def in_fork(work: Callable[[], object]) -> int | None:
    """Runs work in a process of its own; its exit code."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    return process.exitcode


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("stage", ["block", "samples", "index"])
def test_a_kill_at_any_moment_costs_nothing_but_time(
    sounds: Path, tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocessing, "_BATCH_FILES", 2)
    write(sounds / "short.wav", tone(0.1))
    preprocess([sounds], tmp_path / "whole", RATE, 1, limits=LIMITS)
    wanted = contents(tmp_path / "whole")
    db = tmp_path / "db"

    def killed(after: int) -> None:
        left = [after]

        def dying(function: Callable[..., object], partly: bool) -> Callable[..., object]:
            def call(*given: object) -> object:
                left[0] -= 1
                if left[0] < 0:
                    if partly:
                        given[0].flush()  # type: ignore[attr-defined]
                        given[0].truncate(given[0].tell() - 7)  # type: ignore[attr-defined]
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*given)

            return call

        module, name = {"block": (ingest, "as_stored")}.get(stage, (writing, "_to_disk"))
        setattr(module, name, dying(getattr(module, name), stage == "index"))
        preprocess([sounds], db, RATE, 1, limits=LIMITS)

    kills = 0
    for after in (1, 2, 3, 2, 5, 6):
        kills += in_fork(lambda after=after: killed(after)) == -signal.SIGKILL  # type: ignore[misc]
        if index_path(db).exists() and any(not e.rejected for e in read_entries(db)):
            found = contents(db)
            assert all(found[name] == wanted[name] for name in found)
    assert kills >= 3
    preprocess([sounds], db, RATE, 1, limits=LIMITS)
    assert contents(db) == wanted


def test_many_workers_give_the_same_corpus(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preprocess([sounds], tmp_path / "one", RATE, 1, limits=LIMITS)
    monkeypatch.setattr(preprocessing, "_WORTH", 1)
    report = preprocess([sounds], tmp_path / "two", RATE, 1, limits=LIMITS, workers=2)
    assert report.added == 12 and len(list((tmp_path / "two").glob("*.i16"))) == 2
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    one, two = Corpus.open(tmp_path / "one"), Corpus.open(tmp_path / "two")
    assert one.split(0.2) == two.split(0.2)


_KILLED = """
import sys

if __name__ == "__main__":
    from torchbend.corpus import preprocessing
    from torchbend.corpus.ingest import Limits

    preprocessing._WORTH = preprocessing._BATCH_FILES = 1
    preprocessing.preprocess([sys.argv[1]], sys.argv[2], 8000, 1, limits=Limits(4000), workers=2)
"""


def test_workers_of_a_killed_run_do_not_disturb_the_next(tmp_path: Path) -> None:
    for k in range(40):
        write(tmp_path / "sounds" / f"t{k:02}.wav", tone(20, frequency=100 + k))
    program = tmp_path / "program.py"
    program.write_text(_KILLED)
    db, log = tmp_path / "db", tmp_path / "log"
    command = [sys.executable, str(program), str(tmp_path / "sounds"), str(db)]
    with log.open("w") as told, subprocess.Popen(command, stderr=told) as run:
        until = time.monotonic() + 60
        while len(read_entries(db) if db.exists() else ()) < 4 and time.monotonic() < until:
            time.sleep(0.002)
        run.kill()
    assert 4 <= len(read_entries(db)) < 40, log.read_text()
    report = preprocess([tmp_path / "sounds"], db, RATE, 1, limits=LIMITS)
    assert report.sounds == 40 and report.skipped >= 4
    preprocess([tmp_path / "sounds"], tmp_path / "whole", RATE, 1, limits=LIMITS)
    assert contents(db) == contents(tmp_path / "whole")
