"""A corpus and a model so small that a step takes milliseconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from torchbend.corpus.store import Corpus
from torchbend.corpus.writing import CorpusWriter
from torchbend.rave.config import RAVEConfig
from torchbend.rave.config_training import CombinedConfig, MultiScaleConfig
from torchbend.rave.presets import preset
from torchbend.training.settings import TrainSettings

LENGTH = 8192


def tiny(*names: str, warmup: int = 1000, **changes: object) -> RAVEConfig:
    """A configuration with few channels and short windows."""
    config = preset(*(names or ("v2",)), capacity=2, latent_size=4, **changes)
    training = replace(
        config.training,
        phase_1_duration=warmup,
        valid_signal_crop=False,
        distance=replace(config.training.distance, scales=(256, 128)),
    )
    discriminator = CombinedConfig((MultiScaleConfig(2, scales=1, layers=2),))
    return replace(config, training=training, discriminator=discriminator)


SMALL: dict[str, object] = {
    "max_steps": 8,
    "batch": 2,
    "length": LENGTH,
    "workers": 0,
    "val_every": 4,
    "save_every": 4,
    "checkpoint_every": 2,
    "log_every": 1,
    "held_out": 0.2,
}


def settings(**changes: object) -> TrainSettings:
    """Settings for steps that take milliseconds."""
    return TrainSettings(**{**SMALL, **changes})  # type: ignore[arg-type]


def tones(path: Path) -> Corpus:
    """Eight tones of a second, with some noise."""
    rng = np.random.default_rng(0)
    with CorpusWriter(path, 44100, 1) as writer:
        for number in range(8):
            time = np.arange(44100) / 44100
            tone = 0.4 * np.sin(2 * np.pi * 110 * (number + 1) * time) + 0.01 * rng.standard_normal(44100)
            writer.append(f"tone{number}", tone[None].astype(np.float32))
    return Corpus.open(path)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """The tones."""
    return tones(tmp_path / "db")


def losses(path: Path) -> dict[int, dict[str, float]]:
    """The losses of each step in a log."""
    from torchbend.training.records import read_records

    found: dict[int, dict[str, float]] = {}
    for record in read_records(path):
        names = [name for name in record if name.endswith("distance") or name in ("loss_dis", "adversarial")]
        if names:
            found[record["step"]] = {name: record[name] for name in names}
    return found


__all__ = ["LENGTH", "corpus", "losses", "settings", "tiny", "tones"]
