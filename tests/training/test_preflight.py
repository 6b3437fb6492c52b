"""What is told before the first step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import settings, tiny

from torchbend.corpus.store import Corpus
from torchbend.corpus.writing import CorpusWriter
from torchbend.errors import CorpusError, TorchbendError, TrainingError
from torchbend.rave.config import RAVEConfig
from torchbend.rave.model import RAVE
from torchbend.rave.presets import preset
from torchbend.training.configure import configured
from torchbend.training.folder import RunFolder
from torchbend.training.model import Training
from torchbend.training.preflight import prepare
from torchbend.training.settings import TrainSettings


def _refused(tmp_path: Path, corpus: Corpus, config: RAVEConfig, own: TrainSettings) -> str:
    with pytest.raises(TorchbendError) as caught:
        Training(RunFolder(tmp_path / "run"), config, own, corpus, device="cpu")
    assert not (tmp_path / "run").exists()
    return str(caught.value)


def test_channels_and_rate_that_differ(tmp_path: Path, corpus: Corpus) -> None:
    assert "--set channels=1" in _refused(tmp_path, corpus, tiny(channels=2), settings())
    assert "sampling_rate=44100" in _refused(tmp_path, corpus, tiny(sampling_rate=48000), settings())


def test_windows_that_are_too_short(tmp_path: Path, corpus: Corpus) -> None:
    config = tiny()
    cropped = replace(config, training=replace(config.training, valid_signal_crop=True))
    told = _refused(tmp_path, corpus, cropped, settings())
    needed = int(told.rsplit("--length ", 1)[1])
    assert needed % 2048 == 0 and needed > 8192
    assert "multiple of 2048" in _refused(tmp_path, corpus, config, settings(length=8000))


def test_too_little_sound(tmp_path: Path, corpus: Corpus) -> None:
    assert "--batch" in _refused(tmp_path, corpus, tiny(), settings(batch=100))
    with CorpusWriter(tmp_path / "one", 44100, 1) as writer:
        writer.append("alone", np.zeros((1, 44100), np.float32))
    told = _refused(tmp_path, Corpus.open(tmp_path / "one"), tiny(), settings())
    assert "another recording" in told
    with pytest.raises(CorpusError, match="long enough"):
        Training(RunFolder(tmp_path / "run"), tiny(), settings(length=2**20), corpus, device="cpu")


def test_latents_that_cannot_be_cropped(tmp_path: Path, corpus: Corpus) -> None:
    assert "1 to 4" in _refused(tmp_path, corpus, tiny(), settings(cropped_latents=5))
    spherical = tiny("v2", "spherical")
    assert "variational" in _refused(tmp_path, corpus, spherical, settings(cropped_latents=2))


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 0},
        {"ema": 1.0},
        {"held_out": 0.0},
        {"precision": "int8"},
        {"learning_rate": -1.0},
        {"workers": -1},
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, object]) -> None:
    with pytest.raises(TrainingError, match=next(iter(wrong))):
        settings(**wrong)


def test_a_configuration_follows_the_corpus_and_the_words(corpus: Corpus) -> None:
    config = configured(["v2.gin", "causal"], corpus, {"capacity": 8}, warmup=500, kl=0.1)
    assert (config.sampling_rate, config.channels, config.padding) == (44100, 1, "causal")
    assert config.training.phase_1_duration == 500
    schedule = config.training.beta
    assert (schedule.initial, schedule.target, schedule.warmup) == (0.1, 0.1, 1)
    risen = configured(["v2"], corpus, kl=0.1, kl_warmup=100).training.beta
    assert (risen.target, risen.warmup, risen.initial) == (0.1, 100, 1e-6)
    level = configured(["v1"], corpus, kl=0.1, kl_warmup=100).training.beta  # 0.1 from the beginning, without
    assert (level.target, level.warmup, level.initial) == (0.1, 100, 1e-6)
    assert RAVE(configured(["v2"], corpus, {"capacity": 2}, kl=0.0)).config.training.beta.target == 0.0
    with pytest.raises(TrainingError, match="cannot rise"):
        configured(["v2"], corpus, kl=0.0, kl_warmup=100)
    with pytest.raises(TrainingError, match="cannot be set"):
        configured(["v2"], corpus, {"training.nothing": 1})


@pytest.mark.parametrize(
    ("names", "field"),
    [(("v1",), [24109, 22060]), (("v2",), [27117, 26428]), (("v2", "causal"), [51497, 0])],
)
def test_how_far_a_model_listens_is_that_of_the_full_size(
    names: tuple[str, ...], field: list[int], tmp_path: Path, corpus: Corpus
) -> None:
    """Against the numbers of the original, ``rave_spec`` 7.2."""
    model = RAVE(preset(*names, capacity=4))
    model.config = replace(model.config, training=replace(model.config.training, valid_signal_crop=True))
    own = settings(length=2**17, batch=1)
    prepare(model, corpus, (8, 1), own)
    assert model.receptive_field.tolist() == field
