"""Every interface can be found by its kind, says what it is, and costs the others nothing."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from torchbend import interfaces
from torchbend.interfaces import BendedRAVE, BendingInterface
from torchbend.interfaces.kinds import (
    _MODULES_OF,
    all_kinds,
    closest_kinds,
    install,
    is_installed,
    kind_of,
    options_of,
)

CLASSES = sorted(interfaces._HOME_OF)


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_says_what_it_is(name: str) -> None:
    kind = getattr(interfaces, name)
    assert kind.kind.isidentifier() and kind_of(kind.kind) is kind, "its name begins like its kind"
    assert kind.makes and kind.writes
    assert all(ending.startswith(".") for ending in kind.writes)
    assert kind.render is not BendingInterface.render and kind.has_tiny()
    assert set(kind.export_targets) <= set(BendingInterface.export_targets)
    assert kind.export_targets or kind.why_no_export != BendingInterface.why_no_export


def test_names_are_unique() -> None:
    assert len(all_kinds()) == len(CLASSES)


def test_each_extra_is_one_of_the_package(repository: Path) -> None:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    brought = dict(re.findall(r"^(\w+) = \[(.*)\]$", text, flags=re.MULTILINE))
    for kind in all_kinds().values():
        assert kind.extra is None or kind.extra in brought
        assert kind.extra is None or install(kind) == f'pip install "torchbend[{kind.extra}]"'
    for extra, modules in _MODULES_OF.items():
        assert all(name in brought[extra] or name == "transformers" for name in modules)


@pytest.mark.parametrize("backwards", [False, True])
def test_finding_one_imports_no_other(backwards: bool) -> None:
    pairs = [(name, interfaces._HOME_OF[kind.__name__]) for name, kind in all_kinds().items()]
    code = (
        "import sys\nfrom torchbend.interfaces.kinds import kind_of\n"
        f"pairs = {pairs[::-1] if backwards else pairs!r}\n"
        "homes, before = {home for _, home in pairs}, set()\n"
        "for name, own in pairs:\n"
        "    assert kind_of(name) is not None\n"
        "    assert homes & set(sys.modules) <= before | {own}, name\n"
        "    before.add(own)\n"
        "print([m for m in ('transformers', 'diffusers') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0 and answer.stdout.strip() == "[]", answer.stderr


@pytest.mark.parametrize("name", ["", "r", "birds", "Rave", "os", "raves"])
def test_what_is_no_kind(name: str) -> None:
    assert kind_of(name) is None


def test_the_closest_are_named() -> None:
    assert closest_kinds("raves") == ["rave"] and closest_kinds("0000") == []


def test_what_is_installed_is_seen_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BendedRAVE, "extra", "diffusion")
    there = {"transformers"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in there else None)
    assert not is_installed(BendedRAVE)
    there.add("diffusers")
    assert is_installed(BendedRAVE)
    monkeypatch.setattr(BendedRAVE, "extra", None)
    assert is_installed(BendedRAVE)


def test_options_are_told_with_what_the_docstring_says_of_them() -> None:
    def make(
        source: str, size: int = 3, *rest: Any, deep: bool = False, wide: bool = True, **more: Any
    ) -> None:
        """Make.

        Args:
            source: where.
            size: how large; it goes on
                in the next line.
            deep, wide: both.

        Returns:
            wide: not this.
        """

    assert [tuple(option) for option in options_of(make)] == [
        ("size", 3, "how large; it goes on in the next line."),
        ("deep", False, "both."),
        ("wide", True, "both."),
    ]
    assert [option.name for option in options_of(make, "size", "wide")] == ["deep"]
