"""Run the tests that show what interfaces can do, and write docs/interfaces.md from those that passed.

Usage: python tools/interfaces_table.py [class ...]; with names their tests are run, and nothing is written.
Or:    python tools/interfaces_table.py build/tests.xml; the outcomes are those of the last ``make test``.

A test is marked ``@pytest.mark.shows("BendedCodec", "encode and decode", model="EnCodec")``.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import itertools
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.interfaces_marks import MARK, Mark, marks_of_tests  # noqa: E402  found from the root

from torchbend.interfaces.base import BendingInterface  # noqa: E402
from torchbend.interfaces.kinds import all_kinds  # noqa: E402

__all__ = ["PAGE", "main", "page", "listed_on"]

PAGE = ROOT / "docs" / "interfaces.md"
LIBRARIES = ("torch", "transformers", "diffusers", "accelerate", "safetensors")
SKIPPED = "skipped in this run"
INTRODUCTION = f"""# The interfaces, and what was shown of them

Known models behind their own verbs. This page is written by `python tools/interfaces_table.py`, which runs
tests and writes down those that passed. What is not here was not tested. In a shell, `torchbend models` lists
the same interfaces, with what each can do and needs ([command line](command-line.md#known-models)).

| column | what it says |
|---|---|
| kind | what the command line calls it: `torchbend render KIND:SOURCE` |
| class | its name in Python, in `torchbend.interfaces` |
| makes | what it makes, and in which files `render` writes it |
| needs | the extra that brings its libraries: `pip install "torchbend[EXTRA]"` |
| exports to | what a bent model of this kind can be written as, for other programs |
| models | the families of models that it was shown with |
| shown | how many of the lines below |

Below, each line is a thing that was shown, and the tests that showed it: each of them passed, with all of
its parameters. *Model* is the family of models that it was shown with. Most models in tests are tiny, with
random weights, made by the real classes; where the weights were real, the line says so. A test that was
*{SKIPPED}* showed nothing: something that it needs was not there.
"""


@dataclass
class Outcomes:
    """How tests went.

    Attributes:
        passed: for each mark, whether each case of its test passed; False: it was skipped.
        failed: the tests that failed.
    """

    passed: dict[Mark, list[bool]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


def run(marks: Iterable[Mark], report: Path) -> None:
    """Run the tests that carry these marks, and have a report written."""
    tests = sorted({str(ROOT / mark.test) for mark in marks})
    options = ["-q", "-p", "no:cacheprovider", "-m", MARK, "--no-header", "--rootdir", str(ROOT)]
    pytest.main([*options, f"--junitxml={report}", *tests])


def outcomes_of(report: Path, marks: Iterable[Mark]) -> Outcomes:
    """How the tests of these marks went in a run of pytest.

    Args:
        report: what it wrote by ``--junitxml``.
        marks: what is asked for.
    """
    cases: dict[str, list[bool]] = {}
    failed = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        test = f"{case.get('classname')}.{(case.get('name') or '').partition('[')[0]}"
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(test)
        cases.setdefault(test, []).append(case.find("skipped") is None)
    found = {mark: cases[name] for mark in marks if (name := _dotted(mark.test)) in cases}
    shown = {_dotted(mark.test) for mark in marks}
    return Outcomes(found, [test for test in failed if test in shown])


def _dotted(test: str) -> str:
    """``tests/a/test_b.py::test_c`` as reports name it."""
    return test.replace(".py::", "::").replace("/", ".").replace("::", ".")


# -- the page ------------------------------------------------------------------------------------------------


def page(outcomes: dict[Mark, list[bool]], facts: str) -> str:
    """The whole page.

    Args:
        outcomes: for each mark, whether each case of its test passed; False: it was skipped.
        facts: when, and with which libraries.
    """
    shown: dict[str, dict[tuple[str, str], list[tuple[str, bool]]]] = {}
    for mark in sorted(outcomes):
        lines = shown.setdefault(mark.interface, {})
        lines.setdefault((mark.what, mark.model), []).append((mark.test, all(outcomes[mark])))
    kinds = {kind.__name__: kind for kind in all_kinds().values()}
    head = "| kind | class | makes | needs | exports to | models | shown |\n|---|---|---|---|---|---|--:|"
    rows = [_overview(kind, shown.get(name, {})) for name, kind in kinds.items()]
    parts = [INTRODUCTION, facts, "\n".join([head, *rows]) + "\n"]
    for name in [*kinds, *sorted(set(shown) - set(kinds))]:
        if name in shown:
            parts.append(f"## {name}\n\n{_lines(shown[name])}\n")
    return "\n".join(parts)


def _overview(kind: type[BendingInterface], lines: dict[tuple[str, str], list[tuple[str, bool]]]) -> str:
    """One interface in the first table."""
    told = [model for (_, model), tests in lines.items() if model and any(ok for _, ok in tests)]
    models = sorted({name for model in told for name in model.split(", ")})
    count = sum(any(ok for _, ok in tests) for tests in lines.values())
    makes = f"{kind.makes} ({' '.join(f'`{ending}`' for ending in kind.writes)})"
    cells = (
        f"`{kind.kind}`",
        f"`{kind.__name__}`",
        makes,
        f"`{kind.extra}`" if kind.extra else "nothing more",
        ", ".join(kind.export_targets) or "nothing",
        ", ".join(models) or kind.__name__.removeprefix("Bended"),
        str(count),
    )
    return f"| {' | '.join(cells)} |"


def _lines(lines: dict[tuple[str, str], list[tuple[str, bool]]]) -> str:
    """What was shown of one interface."""
    rows = []
    for (what, model), tests in lines.items():
        cells = [f"`{test}`{'' if ok else f' ({SKIPPED})'}" for test, ok in tests]
        rows.append(f"| {what} | {model or '-'} | {', '.join(cells)} |")
    return "\n".join(["| shown | model | by |", "|---|---|---|", *rows])


def facts(today: datetime.date) -> str:
    """When the tests ran, on which commit, with which libraries."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = (
        ", with changes" if _git("status", "--porcelain", "--untracked-files=no", "src", "tests") else ""
    )
    versions = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES if _version(name))
    return f"Ran on {today:%d %B %Y}, at {commit}{changed}: Python {platform.python_version()}, {versions}.\n"


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def listed_on(text: str) -> set[Mark]:
    """What a page lists, as marks."""
    found = set()
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        interface, _, rest = section.partition("\n")
        for what, model, tests in re.findall(r"^\| (.+?) \| (.+?) \| (`tests/.*) \|$", rest, re.MULTILINE):
            for test in re.findall(r"`(tests/[^`]+)`", tests):
                found.add(Mark(interface.strip(), what, "" if model == "-" else model, test))
    return found


def main(words: Sequence[str]) -> int:
    """Run the tests, or read how they went, and write the page; where one failed, the exit code is 1."""
    given = [Path(word) for word in words if word.endswith(".xml")]
    names = [word for word in words if not word.endswith(".xml")]
    marks = [mark for mark in marks_of_tests() if not names or mark.interface in names]
    with tempfile.TemporaryDirectory() as folder:
        report = given[0] if given else Path(folder) / "tests.xml"
        if not given:
            run(marks, report)
        outcomes = outcomes_of(report, marks)
    missing = [mark for mark in marks if mark not in outcomes.passed]
    if outcomes.failed or missing:
        for problem in itertools.chain(outcomes.failed, (f"did not run: {mark}" for mark in missing)):
            print(problem, file=sys.stderr)
        print(f"{PAGE} was not written", file=sys.stderr)
        return 1
    if not names:
        PAGE.write_text(page(outcomes.passed, facts(datetime.date.today())), encoding="utf-8")
    skipped = sum(not all(cases) for cases in outcomes.passed.values())
    print(f"{len(outcomes.passed)} marks, {skipped} of them skipped" + ("" if names else f"; wrote {PAGE}"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
