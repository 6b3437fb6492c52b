"""Which tests are marked ``@pytest.mark.shows(interface, what, model=...)``; read, not run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MARK", "Mark", "marks_of", "marks_of_tests"]

MARK = "shows"

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, order=True)
class Mark:
    """What a test shows.

    Attributes:
        interface: the class's name.
        what: the words of the table.
        model: the family of models; empty where the class has one.
        test: ``tests/folder/test_file.py::test_name``.
    """

    interface: str
    what: str
    model: str
    test: str


def marks_of_tests() -> list[Mark]:
    """The marks of all tests of the project, in order.

    Raises:
        ValueError: a mark is not written in plain words right at its test.
    """
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    sources = ((path, path.read_text(encoding="utf-8")) for path in files)
    return sorted(
        mark
        for path, source in sources
        if f"mark.{MARK}" in source
        for mark in marks_of(source, path.relative_to(ROOT).as_posix())
    )


def marks_of(source: str, place: str) -> list[Mark]:
    """The marks of a file of tests.

    Args:
        source: its text.
        place: its path, for the names of the tests.

    Raises:
        ValueError: a mark is not written in plain words right at its test.

    >>> marks_of("@pytest.mark.shows('BendedRAVE', 'encode')\\ndef test_a(): ...", "tests/test_x.py")
    [Mark(interface='BendedRAVE', what='encode', model='', test='tests/test_x.py::test_a')]
    """
    tree = ast.parse(source)
    found, placed = [], set()
    for name, function in _tests(tree):
        for decorator in function.decorator_list:
            for call in _marks_in(decorator):
                placed.add(call)
                found.append(_mark(call, place, name))
    loose = [call for call in _marks_in(tree) if call not in placed]
    if loose:
        raise ValueError(f"{place}:{loose[0].lineno}: a mark stands at no test")
    return found


def _tests(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions that are tests, in a file or in a class, by the names that pytest gives them."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield f"{node.name}::{inner.name}", inner


def _marks_in(tree: ast.AST) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == MARK
    ]


def _mark(call: ast.Call, place: str, name: str) -> Mark:
    words = [node.value for node in call.args if isinstance(node, ast.Constant)]
    named = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
    plain = len(words) == len(call.args) == 2 and set(named) <= {"model"} and len(named) == len(call.keywords)
    if not plain or not all(isinstance(word, str) and word for word in (*words, *named.values())):
        raise ValueError(
            f"{place}:{call.lineno}: write {MARK}('BendedX', 'what', model='family'), all of it as texts"
        )
    return Mark(str(words[0]), str(words[1]), str(named.get("model", "")), f"{place}::{name}")
