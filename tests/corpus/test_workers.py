"""The same work at once: in this process, in several, on a cluster; and how it ends."""

from __future__ import annotations

import importlib.util
import math
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from torchbend.corpus.layout import Header, read_header
from torchbend.corpus.workers import processors, unordered
from torchbend.corpus.writing import CorpusWriter
from torchbend.errors import CorpusError, MissingExtraError

# Workers import what they do: it is of the package, or of Python.


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Six folders with a corpus each, and one without."""
    for rate in range(1, 7):
        CorpusWriter(tmp_path / str(rate), rate, 1).close()
    return [*(tmp_path / str(rate) for rate in range(1, 7)), tmp_path]


def test_there_is_a_processor() -> None:
    assert processors() >= 1


def test_a_task_is_taken_only_when_it_can_begin() -> None:
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number * number

    results = unordered(math.isqrt, tasks())
    assert next(results) == 0 and taken == [0]
    assert list(results) == list(range(1, 10))


def test_processes_give_the_same_results_and_errors(folders: list[Path]) -> None:
    under_way: list[Path] = []

    def tasks() -> Iterator[Path]:
        for folder in folders:
            under_way.append(folder)
            assert len(under_way) <= 2
            yield folder

    found: list[Header] = []
    with pytest.raises(CorpusError, match="no corpus in this folder") as told:
        for result in unordered(read_header, tasks(), workers=2):
            found.append(result)
            under_way.pop()
    assert sorted(header.sample_rate for header in found) == list(range(1, 7))
    assert told.value.site == str(folders[-1])


def test_a_worker_that_is_killed_is_told() -> None:
    with pytest.raises(CorpusError, match="ended from outside") as told:
        list(unordered(signal.raise_signal, [signal.SIGKILL], workers=2))
    assert "fewer --workers" in str(told.value)


def test_a_missing_ray_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(MissingExtraError, match="ray") as told:
        list(unordered(math.isqrt, [1], ray=True))
    assert "torchbend[ray]" in str(told.value)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray")
def test_a_cluster_gives_the_same_results_and_errors(folders: list[Path]) -> None:
    import ray

    try:
        found = sorted(unordered(read_header, folders[:-1], workers=2, ray=True), key=lambda h: h.sample_rate)
        assert [header.sample_rate for header in found] == list(range(1, 7))
        with pytest.raises(CorpusError, match="no corpus in this folder"):
            list(unordered(read_header, folders, workers=2, ray=True))
    finally:
        ray.shutdown()
