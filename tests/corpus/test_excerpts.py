"""Excerpts: random places, the same for whoever asks, never shorter than wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from torchbend.corpus.excerpts import Excerpts
from torchbend.corpus.store import Corpus
from torchbend.corpus.transforms import Crop, RandomPitch, standard
from torchbend.corpus.writing import CorpusWriter
from torchbend.errors import CorpusError

RATE = 8000


def ramp(sound: int, frames: int) -> np.ndarray:
    """Samples that tell their sound and their place: exact in 16 bits."""
    return (1000 * sound + np.arange(frames))[None] / 32768


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Ramps of 900, 250, 100 and 99 frames."""
    with CorpusWriter(tmp_path, RATE, 1) as writer:
        for sound, frames in enumerate((900, 250, 100, 99)):
            writer.append(f"s{sound}", ramp(sound, frames))
    return Corpus.open(tmp_path)


def test_an_epoch_holds_what_fits_into_each_sound(corpus: Corpus) -> None:
    excerpts = Excerpts(corpus, range(4), 100)
    assert len(excerpts) == 9 + 2 + 1 and excerpts.too_short == 1 and excerpts.sample_rate == RATE
    sounds = [int(excerpts[k][0, 0] * 32768) // 1000 for k in range(12)]
    assert sounds == [0] * 9 + [1] * 2 + [2]
    assert excerpts.place(10) == "item 10 of epoch 0, from s1"
    with pytest.raises(IndexError):
        excerpts[12]


def test_an_item_is_a_piece_of_its_sound_at_any_place(corpus: Corpus) -> None:
    excerpts = Excerpts(corpus, [1], 100, seed=3)
    starts = []
    for epoch in range(400):
        excerpts.set_epoch(epoch)
        item = excerpts[epoch % 2]
        assert item.dtype == torch.float32 and item.shape == (1, 100)
        values = (item[0] * 32768).round().int() - 1000
        assert (values.diff() == 1).all()
        starts.append(int(values[0]))
    assert min(starts) <= 3 and max(starts) >= 147 and 65 < np.mean(starts) < 85


def test_chance_depends_on_seed_epoch_and_index_alone(corpus: Corpus) -> None:
    def items(seed: int, epoch: int) -> list[list[float]]:
        excerpts = Excerpts(corpus, [0, 1], 100, standard(100, RATE), seed=seed)
        excerpts.set_epoch(epoch)
        return [excerpts[k].flatten().tolist() for k in reversed(range(len(excerpts)))]

    assert items(1, 2) == items(1, 2)
    assert items(1, 2) != items(2, 2) and items(1, 2) != items(1, 3)


def test_running_workers_read_the_same_and_see_the_next_epoch(corpus: Corpus) -> None:
    excerpts = Excerpts(corpus, [0, 1], 100, standard(100, RATE, rand_pitch=(0.8, 1.2)), seed=5)
    loader = DataLoader(excerpts, batch_size=2, num_workers=2, persistent_workers=True)
    for epoch in (0, 1, 4):
        excerpts.set_epoch(epoch)
        by_workers = torch.cat(list(loader))
        direct = torch.stack([excerpts[k] for k in range(len(excerpts))])
        assert torch.equal(by_workers, direct)


def test_too_short_is_told_with_the_next_step(corpus: Corpus) -> None:
    with pytest.raises(CorpusError, match="no sound is long enough") as told:
        Excerpts(corpus, range(4), 901)
    assert "the longest of 900 frames (0.11 s)" in str(told.value)
    with pytest.raises(CorpusError, match="there are no sounds"):
        Excerpts(corpus, [], 10)
    with pytest.raises(CorpusError, match="no excerpt has this length"):
        Excerpts(corpus, [0], 0)


def test_a_transform_that_shortens_unasked_is_told(corpus: Corpus) -> None:
    excerpts = Excerpts(corpus, [0], 100, [lambda x, rng, rate: x[:, :50]])
    with pytest.raises(CorpusError, match="too little"):
        excerpts[0]


def test_plain_functions_get_samples_chance_and_rate(corpus: Corpus) -> None:
    def told(x: np.ndarray, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
        return np.full_like(x, sample_rate + rng.random() / 2)

    values = {round(float(Excerpts(corpus, [0], 100, [told])[k][0, 0]), 3) for k in range(9)}
    assert len(values) == 9 and all(RATE <= value <= RATE + 0.5 for value in values)


@pytest.mark.parametrize("model_rate", [11025, 4000, 8000])
def test_another_rate_gives_as_many_samples(corpus: Corpus, model_rate: int) -> None:
    excerpts = Excerpts(corpus, range(4), 100, standard(100, RATE, model_rate))
    assert excerpts.sample_rate == model_rate
    assert all(excerpts[k].shape == (1, 100) for k in range(len(excerpts)))
    read = 100 if model_rate == RATE else -(-100 * RATE // model_rate) + 1
    assert len(excerpts) == sum(frames // read for frames in (900, 250, 100, 99))


def test_pitch_reads_more_where_there_is_more(corpus: Corpus) -> None:
    pitch = RandomPitch(0.5, 2, frames=100, probability=1)
    excerpts = Excerpts(corpus, [0, 2], 100, [pitch, Crop(100)])
    assert len(excerpts) == 9 + 1
    slopes = []
    for epoch in range(20):
        excerpts.set_epoch(epoch)
        assert all(excerpts[k].shape == (1, 100) for k in range(10))
        slopes.append(float(excerpts[0][0, 20:80].diff().median()) * 32768)
    assert min(slopes) < 0.8 and max(slopes) > 1.25  # slower ramps climb less in each sample
