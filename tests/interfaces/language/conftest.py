"""One tiny model of each kind for all tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", exc_type=ImportError)

from torchbend.interfaces.language import BendedLanguageModel, Loaded, tiny_language_model

KINDS = ["gpt2", "llama", "mistral", "qwen2", "gpt_neox"]


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], Loaded]:
    """Makes a tiny model of a kind; the same one each time."""
    made: dict[str, Loaded] = {}

    def of(kind: str) -> Loaded:
        if kind not in made:
            made[kind] = tiny_language_model(kind, layers=3)
        return made[kind]

    return of


@pytest.fixture(scope="session")
def _bended(tiny: Callable[[str], Loaded]) -> Callable[[str], BendedLanguageModel]:
    made: dict[str, BendedLanguageModel] = {}

    def of(kind: str) -> BendedLanguageModel:
        if kind not in made:
            made[kind] = BendedLanguageModel(tiny(kind))
        return made[kind]

    return of


@pytest.fixture(params=KINDS)
def each(request: pytest.FixtureRequest, _bended: Any) -> Iterator[BendedLanguageModel]:
    """A model of each kind, not bent."""
    model = _bended(request.param)
    yield model
    model.reset()


@pytest.fixture(params=["gpt2", "llama"])
def both(request: pytest.FixtureRequest, _bended: Any) -> Iterator[BendedLanguageModel]:
    """GPT-2 and Llama, not bent."""
    model = _bended(request.param)
    yield model
    model.reset()


@pytest.fixture
def gpt2(_bended: Any) -> Iterator[BendedLanguageModel]:
    """GPT-2, not bent."""
    model = _bended("gpt2")
    yield model
    model.reset()


@pytest.fixture(scope="session")
def folder(tiny: Callable[[str], Loaded], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama in transformers' layout."""
    return saved(tiny("llama"), tmp_path_factory.mktemp("llama"))


def saved(loaded: Loaded, path: Path) -> Path:
    """A model in transformers' layout."""
    model: Any = loaded.model
    model.save_pretrained(path)
    loaded.tokenizer.save_pretrained(path)
    return path
