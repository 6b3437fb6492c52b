"""One tiny model for all tests of a module, in both layouts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from torchbend.interfaces.audiocraft import BendedMusicGen

from . import tiny


@pytest.fixture(scope="session")
def original() -> Any:
    """The model as transformers has it."""
    return tiny.model()


@pytest.fixture(scope="session")
def folder(original: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in transformers' layout."""
    return tiny.save(original, tmp_path_factory.mktemp("musicgen"))


@pytest.fixture(scope="session")
def audiocraft_folder(original: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in audiocraft's layout; it hears 3 seconds at once."""
    return tiny.save_audiocraft(original, tmp_path_factory.mktemp("audiocraft"))


@pytest.fixture(scope="session")
def _loaded(folder: Path) -> BendedMusicGen:
    return BendedMusicGen(folder)


@pytest.fixture
def music(_loaded: BendedMusicGen) -> Iterator[BendedMusicGen]:
    """The model, not bent, generating two seconds."""
    _loaded.reset()
    _loaded.longest = 30.0
    _loaded.set_generation_params(duration=2.0)
    _loaded.set_custom_progress_callback(None)
    yield _loaded
    _loaded.reset()
