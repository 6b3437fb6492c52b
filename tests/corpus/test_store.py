"""A corpus on disk: what is stored is read, and no kill, tear or loss gives wrong samples."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from torchbend.corpus.decoding import decode
from torchbend.corpus.layout import Entry, index_path, samples_path
from torchbend.corpus.splitting import held_out_groups, parts
from torchbend.corpus.store import Corpus
from torchbend.corpus.writing import CorpusWriter
from torchbend.errors import CorpusError

RATE = 8000


def noise(seed: int, frames: int = 1000, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (channels, frames)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus of three sounds, written in another order than that of their names."""
    with CorpusWriter(tmp_path / "db", RATE, 2) as writer:
        for seed, name in enumerate("bca"):
            writer.append(name, noise(seed, 1000 + seed))
    return tmp_path / "db"


def test_what_is_stored_is_read_to_half_a_step(folder: Path) -> None:
    corpus = Corpus.open(folder)
    assert [sound.name for sound in corpus.sounds] == ["a", "b", "c"]
    for index, seed in enumerate((2, 0, 1)):
        read, given = corpus.read(index), noise(seed, 1000 + seed)
        assert read.dtype == np.float32 and read.shape == (2, 1000 + seed)
        assert np.abs(read - given).max() <= 0.5 / 32768 + 1e-7
    assert corpus.seconds == (3003) / RATE and len(corpus) == 3 and "3 sounds" in repr(corpus)


def test_a_piece_is_the_piece_of_the_whole(folder: Path) -> None:
    corpus = Corpus.open(folder)
    whole = corpus.read(1)
    for start, frames in ((0, 1), (17, 400), (999, 1), (1000, 0)):
        assert np.array_equal(corpus.read(1, start, frames), whole[:, start : start + frames])
    for start, frames in ((-1, 5), (990, 11), (0, -1)):
        with pytest.raises(CorpusError, match="no such samples"):
            corpus.read(1, start, frames)


def test_steps_of_16_bits_are_kept_exactly(tmp_path: Path) -> None:
    given = np.array([[-1, -0.5, 0, 1 / 32768, 0.25, 32767 / 32768, 1.0, 3.0]])
    with CorpusWriter(tmp_path, RATE, 1) as writer:
        writer.append("steps", given)
    assert Corpus.open(tmp_path).read(0)[0].tolist() == [*given[0, :6].tolist(), *[32767 / 32768] * 2]


def test_a_torn_line_is_ignored_and_overwritten(folder: Path) -> None:
    with index_path(folder).open("ab") as file:
        file.write(Entry("d", "", "d", 5000, 0, 3003).line()[:-9])
    assert len(Corpus.open(folder)) == 3
    with CorpusWriter(folder, RATE, 2) as writer:
        assert sorted(writer.entries) == ["a", "b", "c"]
        writer.append("d", noise(9))
    assert len(index_path(folder).read_bytes().splitlines()) == 4
    assert np.abs(Corpus.open(folder).read(3) - noise(9)).max() < 2e-5


def test_samples_without_a_line_are_overwritten(folder: Path) -> None:
    samples = samples_path(folder, 0)
    whole = samples.read_bytes()
    samples.write_bytes(whole + b"\x55" * 12345)
    assert np.abs(Corpus.open(folder).read(2) - noise(1, 1001)).max() < 2e-5
    with CorpusWriter(folder, RATE, 2) as writer:
        writer.append("d", noise(9))
    assert samples.stat().st_size == len(whole) + 1000 * 2 * 2
    assert samples.read_bytes()[: len(whole)] == whole


def test_lost_samples_are_told_and_only_they_are_written_again(folder: Path) -> None:
    samples = samples_path(folder, 0)
    samples.write_bytes(samples.read_bytes()[: 1500 * 4])
    with pytest.raises(CorpusError, match="samples are missing") as told:
        Corpus.open(folder)
    assert "2 of 3" in str(told.value)
    with CorpusWriter(folder, RATE, 2) as writer:
        assert {name for name, entry in writer.entries.items() if entry.rejected == "lost"} == {"a", "c"}
        writer.append("c", noise(5))
    corpus = Corpus.open(folder)
    assert [sound.name for sound in corpus.sounds] == ["b", "c"]
    assert np.abs(corpus.read(0) - noise(0)).max() < 2e-5
    assert np.abs(corpus.read(1) - noise(5)).max() < 2e-5


def test_a_sound_is_replaced_by_a_later_one_of_its_name(folder: Path) -> None:
    open_before = Corpus.open(folder)
    with CorpusWriter(folder, RATE, 2) as writer:
        writer.append("b", noise(7, 300))
    assert Corpus.open(folder).sounds[1].frames == 300 and len(Corpus.open(folder)) == 3
    assert np.abs(open_before.read(1) - noise(0)).max() < 2e-5  # who reads meanwhile keeps what was there


def test_only_one_may_write(folder: Path) -> None:
    with CorpusWriter(folder, RATE, 2), pytest.raises(CorpusError, match="another process"):
        CorpusWriter(folder, RATE, 2)
    CorpusWriter(folder, RATE, 2).close()


@pytest.mark.parametrize("kind", [(RATE, 1, False), (RATE + 1, 2, False), (RATE, 2, True)])
def test_another_kind_is_refused_with_the_next_step(folder: Path, kind: tuple[int, int, bool]) -> None:
    before = index_path(folder).read_bytes()
    with pytest.raises(CorpusError, match=r"--sr 8000 --channels 2, or"):
        CorpusWriter(folder, *kind)
    assert index_path(folder).read_bytes() == before


@pytest.mark.parametrize(
    "samples", [np.zeros((1, 5)), np.zeros((2, 0)), np.full((2, 3), np.nan), np.zeros(4), np.zeros((2, 1, 3))]
)
def test_samples_that_do_not_fit_are_refused(folder: Path, samples: np.ndarray) -> None:
    with CorpusWriter(folder, RATE, 2) as writer, pytest.raises(CorpusError, match="cannot be stored"):
        writer.append("d", samples)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "corpus.json").unlink(), "there is no corpus"),
        (lambda f: (f / "corpus.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "corpus.json").write_text("{}"), "this is no corpus"),
        (lambda f: _set(f, version=2), "another version"),
        (lambda f: _set(f, sample_rate=0), "damaged"),
        (lambda f: _set(f, channels=None), "damaged"),
        (lambda f: (f / "index.jsonl").unlink(), "holds no sound"),
        (lambda f: (f / "index.jsonl").write_bytes(b"{}\n" + (f / "index.jsonl").read_bytes()), "line 1"),
        (lambda f: (f / "samples-0000.i16").unlink(), "samples are missing"),
    ],
)
def test_what_cannot_be_opened_is_told(folder: Path, change: object, words: str) -> None:
    change(folder)  # type: ignore[operator]
    with pytest.raises(CorpusError) as told:
        Corpus.open(folder)
    assert words in str(told.value)


def test_a_database_of_the_original_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").touch()
    with pytest.raises(CorpusError, match="LMDB"):
        Corpus.open(tmp_path)


def _set(folder: Path, **values: object) -> None:
    header = json.loads((folder / "corpus.json").read_text())
    (folder / "corpus.json").write_text(json.dumps(header | values))


def test_another_process_gets_it_without_what_is_mapped(folder: Path) -> None:
    corpus = Corpus.open(folder)
    before = corpus.read(0)
    copy = pickle.loads(pickle.dumps(corpus))
    assert len(pickle.dumps(corpus)) < 2000 and np.array_equal(copy.read(0), before)


def test_a_lazy_corpus_reads_pieces_of_its_files(tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    soundfile.write(source, noise(0, 20000).T, 11025, subtype="FLOAT")
    frames = round(20000 * RATE / 11025)
    with CorpusWriter(tmp_path / "db", RATE, 1, lazy=True) as writer:
        writer.record([Entry("a", str(source), "a", frames)])
    corpus = Corpus.open(tmp_path / "db")
    whole = decode(source, RATE, 1)
    assert corpus.lazy and whole.shape == (1, frames)
    for start, count in ((0, 100), (5000, 3000), (frames - 50, 50)):
        assert np.abs(corpus.read(0, start, count) - whole[:, start : start + count]).max() < 1e-5
    part = corpus.divided(0.5)
    assert len(part) == round(frames / (RATE / 2))
    assert np.abs(part.read(2) - whole[:, part.sounds[2].start :][:, : part.sounds[2].frames]).max() < 1e-5
    soundfile.write(source, noise(0, 10000).T, 11025)
    with pytest.raises(CorpusError, match="shorter than it was"):
        corpus.read(0, frames - 50, 50)


def grouped(path: Path) -> Corpus:
    """Twelve originals with three copies each, of changing length."""
    with CorpusWriter(path, RATE, 1) as writer:
        entries = []
        for k in range(48):
            entries.append(Entry(f"s{k:02}", "", f"g{k % 12}", 1000 + 10 * k, 0, 0))
        samples_path(path, 0).write_bytes(bytes(2 * 2000))
        writer.record(entries)
    return Corpus.open(path)


def test_no_copy_of_a_held_out_sound_is_trained_on(tmp_path: Path) -> None:
    corpus = grouped(tmp_path)
    train, held_out = corpus.split(0.2, seed=1)
    assert sorted(train + held_out) == list(range(48))
    groups = [{corpus.sounds[i].group for i in part} for part in (train, held_out)]
    assert groups[0] | groups[1] == {f"g{k}" for k in range(12)} and not groups[0] & groups[1]
    share = sum(corpus.sounds[i].frames for i in held_out) / sum(s.frames for s in corpus.sounds)
    assert 0.1 < share <= 0.2
    assert corpus.split(0.2, seed=1) == (train, held_out)
    assert len({tuple(corpus.split(0.2, seed=k)[1]) for k in range(10)}) > 3


@given(
    st.dictionaries(st.text(min_size=1), st.integers(1, 10**6), max_size=20),
    st.floats(0, 0.99),
    st.integers(0),
)
def test_what_is_held_out_is_some_and_not_all(frames: dict[str, int], share: float, seed: int) -> None:
    held_out = held_out_groups(frames, share, seed)
    assert held_out <= frames.keys()
    if len(frames) < 2 or share == 0:
        assert not held_out
    else:
        assert 0 < len(held_out) < len(frames)
        taken = sum(frames[name] for name in held_out)
        assert taken <= share * sum(frames.values()) or len(held_out) == 1


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(CorpusError, match="held out"):
        held_out_groups({"a": 1, "b": 1}, share, 0)


@given(st.integers(0, 10**4), st.integers(50, 10**5))
def test_parts_cover_the_whole_evenly(frames: int, length: int) -> None:
    spans = parts(frames, length)
    assert spans[0][0] == 0 and sum(count for _, count in spans) == frames
    assert all(a + n == b for (a, n), (b, _) in zip(spans, spans[1:], strict=False))
    assert max(n for _, n in spans) - min(n for _, n in spans) <= 1
    assert len(spans) == 1 or min(n for _, n in spans) >= length * 0.6


def test_long_sounds_are_divided_and_copies_are_not(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path, RATE, 1) as writer:
        writer.append("long", noise(0, 40000, 1))
        writer.append("x", noise(1, 40000, 1), group="one")
        writer.append("y", noise(2, 40000, 1), group="one")
    corpus, cut = Corpus.open(tmp_path), Corpus.open(tmp_path).divided(1.0)
    assert [s.name for s in cut.sounds] == [*(f"long#{k}" for k in range(5)), "x", "y"]
    assert len({s.group for s in cut.sounds}) == 6
    whole = np.concatenate([cut.read(k) for k in range(5)], axis=1)
    assert np.array_equal(whole, corpus.read(0)) and np.array_equal(cut.read(6), corpus.read(2))
    with pytest.raises(CorpusError, match="no such length"):
        corpus.divided(0)
