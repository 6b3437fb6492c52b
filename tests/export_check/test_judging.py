"""Times become failures and warnings by what they mean for the sound."""

from __future__ import annotations

import pytest

from torchbend.export.check.findings import Finding
from torchbend.export.check.judging import judge
from torchbend.export.check.report import timing

RATES = (44100, 48000)


def told(*measured: tuple[int, float, float, float]) -> list[Finding]:
    """The verdict on (block, median, worst, first) in milliseconds."""
    values = [
        {
            "method": "forward",
            "block": block,
            "median_ms": median,
            "worst_ms": worst,
            "first_ms": first,
            "second_ms": median,
            "tenth_ms": median,
            "cpu_ms": median,
            "blocks": 24,
        }
        for block, median, worst, first in measured
    ]
    return judge([timing(value, RATES, {"forward": 100}) for value in values], RATES)


def test_a_fast_file_needs_no_word() -> None:
    assert told((64, 0.5, 0.9, 1.0), (2048, 3.0, 5.0, 30.0)) == []


@pytest.mark.parametrize(
    ("measured", "level", "said"),
    [
        ([(64, 2.0, 2.0, 2.0), (2048, 50.0, 60.0, 50.0)], "failure", "does not keep up at 48000 Hz"),
        ([(64, 2.0, 2.0, 2.0), (2048, 20.0, 30.0, 20.0)], "warning", "use blocks of 2048 or more"),
        ([(2048, 20.0, 80.0, 20.0)], "warning", "single blocks are late"),
        ([(2048, 20.0, 30.0, 90.0)], "warning", "begins with a gap"),
    ],
)
def test_what_is_slow_is_told(measured: list[tuple[int, float, float, float]], level: str, said: str) -> None:
    (finding,) = told(*measured)
    assert finding.level == level and finding.part == "speed" and said in finding.text()


def test_a_busy_machine_is_told_from_a_slow_file() -> None:
    value = {"method": "forward", "block": 2048, "median_ms": 60.0, "worst_ms": 70.0, "blocks": 24}
    value |= {"first_ms": 60.0, "second_ms": 60.0, "tenth_ms": 60.0}
    for cpu, level in ((20.0, "warning"), (45.0, "failure")):
        (finding,) = judge([timing({**value, "cpu_ms": cpu}, RATES, {})], RATES)
        assert (finding.level, finding.part) == (level, "speed")
        assert ("with the processor to itself" in finding.text()) == (level == "warning")


def test_a_short_hitch_at_the_start_is_no_gap() -> None:
    assert told((64, 0.1, 0.2, 4.0)) == []


def test_numbers_at_each_rate() -> None:
    value = {"method": "forward", "block": 480, "median_ms": 5.0, "worst_ms": 10.0, "cpu_ms": 2.5}
    value |= {"first_ms": 5.0, "second_ms": 5.0, "tenth_ms": 5.0, "blocks": 24}
    made = timing(value, (48000,), {"forward": 64})
    assert made.real_time[48000] == pytest.approx(0.5) and made.real_time_worst[48000] == pytest.approx(1.0)
    assert made.cpu[48000] == pytest.approx(25.0) and made.latency_ms[48000] == pytest.approx(20.0)
