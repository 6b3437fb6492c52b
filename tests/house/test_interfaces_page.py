"""The page of interfaces lists what its marked tests show: no more, no less."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.interfaces_marks import Mark, marks_of, marks_of_tests
from tools.interfaces_table import SKIPPED, listed_on, outcomes_of, page

from torchbend import interfaces
from torchbend.interfaces.kinds import all_kinds

NEXT = "run: python tools/interfaces_table.py"
A = Mark("BendedRAVE", "encode", "", "tests/x.py::test_a")
B = Mark("BendedRAVE", "encode", "", "tests/x.py::test_b")


@pytest.fixture(scope="module")
def text(repository: Path) -> str:
    return (repository / "docs" / "interfaces.md").read_text(encoding="utf-8")


def test_each_line_of_the_page_has_its_marked_test(text: str) -> None:
    gone = listed_on(text) - set(marks_of_tests())
    assert not gone, f"{NEXT}; on the page, and no test is marked so: {sorted(gone)[:5]}"


def test_each_marked_test_is_on_the_page(text: str) -> None:
    new = set(marks_of_tests()) - listed_on(text)
    assert not new, f"{NEXT}; marked, and not on the page: {sorted(new)[:5]}"


def test_each_interface_has_its_row_and_its_tests(text: str) -> None:
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    facts = {row[1].strip("`"): row for row in rows}
    assert set(facts) == set(interfaces._HOME_OF), NEXT
    for kind in all_kinds().values():
        row = facts[kind.__name__]
        assert row[0] == f"| `{kind.kind}`", NEXT
        assert row[3] == (f"`{kind.extra}`" if kind.extra else "nothing more"), NEXT
        assert row[4] == (", ".join(kind.export_targets) or "nothing"), NEXT
        assert f"\n## {kind.__name__}\n" in text, NEXT


def test_marks_name_interfaces() -> None:
    known = {*interfaces._HOME_OF, "BendingInterface"}
    assert {mark.interface for mark in marks_of_tests()} <= known


def test_a_page_is_read_as_it_was_written() -> None:
    written = page({A: [True, True], B: [True, False]}, "Today.")
    assert listed_on(written) == {A, B}
    assert f"`{A.test}`, `{B.test}` ({SKIPPED})" in written
    assert "Today." in written
    rave = next(line for line in written.splitlines() if line.startswith("| `rave`"))
    assert rave.endswith("| RAVE | 1 |")
    only_skipped = page({B: [False]}, "Today.")
    assert next(s for s in only_skipped.splitlines() if s.startswith("| `rave`")).endswith("| RAVE | 0 |")


def test_outcomes_are_read_from_a_run(tmp_path: Path) -> None:
    report = tmp_path / "tests.xml"
    case = '<testcase classname="tests.x" name="{}">{}</testcase>'
    cases = [("test_a[1]", ""), ("test_a[2]", ""), ("test_b[a.b[c]]", "<skipped/>"), ("test_c", "<failure/>")]
    written = "".join(case.format(*each) for each in cases)
    report.write_text(f"<testsuites><testsuite>{written}</testsuite></testsuites>")
    one, none = (Mark("BendedRAVE", "x", "", f"tests/x.py::{name}") for name in ("test_c", "test_d"))
    read = outcomes_of(report, [A, B, none])
    assert read.passed == {A: [True, True], B: [False]} and read.failed == []
    assert outcomes_of(report, [one]).failed == ["tests.x.test_c"]


def test_marks_are_read_from_decorators_classes_and_parameters() -> None:
    source = """
import pytest

@pytest.mark.shows("BendedRAVE", "encode")
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.shows("BendedRAVE", "x", model="v2"))])
def test_a(x): ...

class TestB:
    @pytest.mark.shows("BendedCodec", "decode", model="DAC")
    def test_b(self): ...
"""
    assert marks_of(source, "tests/f.py") == [
        Mark("BendedRAVE", "encode", "", "tests/f.py::test_a"),
        Mark("BendedRAVE", "x", "v2", "tests/f.py::test_a"),
        Mark("BendedCodec", "decode", "DAC", "tests/f.py::TestB::test_b"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "@pytest.mark.shows(NAME, 'encode')",
        "@pytest.mark.shows('BendedRAVE')",
        "@pytest.mark.shows('BendedRAVE', '')",
        "@pytest.mark.shows('BendedRAVE', 'encode', family='v2')",
        "@pytest.mark.shows('BendedRAVE', 'encode', model=NAME)",
    ],
)
def test_marks_are_plain_words(line: str) -> None:
    with pytest.raises(ValueError, match="as texts"):
        marks_of(f"{line}\ndef test_a(): ...", "tests/f.py")


def test_marks_stand_at_their_tests() -> None:
    with pytest.raises(ValueError, match="stands at no test"):
        marks_of("encode = pytest.mark.shows('BendedRAVE', 'encode')", "tests/f.py")
