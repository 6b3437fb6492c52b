"""The benchmarks run, in a tiny form, and their page renders; nothing here asks how fast anything is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from benchmarks.__main__ import SECTIONS
from benchmarks.harness import AGAIN, PLAIN, Bar, Row, Section, Settings, Timings, interleaved
from benchmarks.large import LargeRow, large
from benchmarks.machine import Before, describe
from benchmarks.memory import MemoryRow, memory
from benchmarks.page import duration, page
from benchmarks.reference import references

TINY = Settings(rounds=2, short_rounds=3, tiny=True, peers=False)


@pytest.mark.parametrize("name", [n for n in SECTIONS if n != "imports"])
def test_a_section_is_measured_and_renders(name: str) -> None:
    section = SECTIONS[name](TINY)
    assert section.rows and all(row.measured > 0 and row.plain > 0 for row in section.rows)
    text = page(describe(Before()), references(TINY), [section], None, {})
    assert f"## {section.title}" in text and all(row.what in text for row in section.rows)


@pytest.mark.slow
def test_the_sections_that_need_processes_of_their_own() -> None:
    section = SECTIONS["imports"](TINY)
    assert [row.measured > row.plain / 2 for row in section.rows] == [True, True, True]
    held = memory(TINY)
    whole = large(TINY)
    assert whole is None or (whole.parameters > 10**5 and whole.weights < whole.model and whole.bent > 0)
    assert held is None or (held.weight == 2 * 1024 * 1024 and held.parameters == 4 * 1024 * 1024)


def test_calls_take_turns_and_each_round_begins_with_another() -> None:
    order: list[str] = []

    def noting(name: str) -> Callable[[], object]:
        return lambda: order.append(name)

    timings = interleaved({PLAIN: noting("a"), "bent": noting("b")}, rounds=3, warm_up=1)
    assert order == ["a", "b", "a", *"aba", *"baa", *"aab"]
    assert {name: len(seconds) for name, seconds in timings.seconds.items()} == {
        PLAIN: 3,
        "bent": 3,
        AGAIN: 3,
    }


def test_ratios_and_bars() -> None:
    timings = Timings({PLAIN: [1.0, 2.0, 9.0], AGAIN: [2.0, 2.0, 2.0], "bent": [2.0, 4.0, 11.0]})
    row = Row.of("a model", timings, "bent", Bar("<= 2x", ratio=2.0))
    assert (row.ratio, row.added, row.noise, row.met) == (2.0, 2.0, 1.0, True)
    assert not Bar("plain + 1 s", extra=1.0).met(row.plain, row.measured)


def test_the_page_says_which_bars_are_missed() -> None:
    rows = [
        Row("fast", 1.0, 1.0, 0.0, 1.0, Bar("<= 1.03x", ratio=1.03)),
        Row("slow", 1.0, 2.0, 1.0, 1.0, Bar("<= 1.05x", ratio=1.05)),
        Row("told", 1.0, 3.0, 2.0, 1.0),
    ]
    held = MemoryRow(10**9, 2**27, 2**20, 2**27, 2**27, 0)
    peers = {"another": {"a job": {"torchbend": 1.5, "another": 3.25}}}
    text = page({"Cores": "2"}, {"a thing": 1e-6}, [Section("S", "T", rows)], held, peers)
    assert "**2 of 3 bars are met.**" in text
    assert "- slow: 2.00x (plain + 1.00 s) where <= 1.05x is the bar" in text
    assert "told" in text and "- told" not in text
    assert "128 MiB" in text and "3.25x" in text


def test_a_large_model_has_a_table_of_its_own() -> None:
    row = LargeRow(2 * 10**9, 2**32, 2**28, 2**27, 2**20, 2**28 + 2**21, 2**28, 1.0, 1.02, 1.01)
    text = page({"Cores": "2"}, {"a thing": 1e-6}, [], None, {}, row)
    assert "**1 of 1 bars are met.**" in text and "2.00 G" in text
    assert "**257 MiB**" in text and "**0.063x**" in text and "1.02 s (1.02x)" in text
    costly = LargeRow(2 * 10**9, 2**32, 2**28, 2**27, 0, 2**32, 2**32, 1.0, 1.0, 1.0)
    assert "- large: 4096 MiB for bent weights of 256 MiB" in page({}, {}, [], None, {}, costly)


def test_durations() -> None:
    assert [duration(s) for s in (1e-6, 0.0123, 2.5)] == ["1.0 µs", "12.3 ms", "2.50 s"]
