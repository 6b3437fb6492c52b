"""Every public function, class and method of the package says what it is."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types
from collections.abc import Iterator

import pytest

import dandb
import torchbend


def package_modules() -> Iterator[types.ModuleType]:
    """Every module of the two packages whose name is public."""
    for package in (torchbend, dandb):
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not any(piece.startswith("_") for piece in found.name.split(".")):
                yield importlib.import_module(found.name)


def says_nothing(thing: object) -> bool:
    """Whether neither the thing nor what it overrides has a docstring."""
    return not (inspect.getdoc(thing) or "").strip()


def silent_members(owner: type) -> Iterator[str]:
    """The public methods and properties of a class that say nothing."""
    for name, member in vars(owner).items():
        plain = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
        if name.startswith("_") or not (inspect.isfunction(plain) or isinstance(plain, property)):
            continue
        inherited = any(
            not says_nothing(getattr(base, name, None)) for base in owner.__mro__[1:] if name in vars(base)
        )
        if says_nothing(plain) and not inherited:
            yield f"{owner.__module__}.{owner.__qualname__}.{name}"


def silent(module: types.ModuleType) -> list[str]:
    """The public names made in a module that have no docstring."""
    told = [] if (module.__doc__ or "").strip() else [module.__name__]
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing):
            own = vars(thing).get("__doc__") or ""
            told += [] if own.strip() else [f"{module.__name__}.{name}"]
            told += silent_members(thing)
        elif inspect.isfunction(thing) and says_nothing(thing):
            told.append(f"{module.__name__}.{name}")
    return told


def test_every_public_name_has_a_docstring() -> None:
    told = [name for module in package_modules() for name in silent(module)]
    assert not told, "\n".join(told)


def made(source: str) -> types.ModuleType:
    """A module of the given source."""
    module = types.ModuleType("made")
    exec(compile(source, "made", "exec"), vars(module))  # noqa: S102
    return module


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("x = 1", "made"),
        ("'a module'\ndef f(): pass", "made.f"),
        ("'a module'\nclass C: pass", "made.C"),
        ("'a module'\nclass C:\n  'a class'\n  def m(self): pass", "made.C.m"),
        ("'a module'\nclass C:\n  'a class'\n  @property\n  def p(self): pass", "made.C.p"),
        ("'a module'\nclass B:\n  'b'\nclass C(B): pass", "made.C"),
    ],
)
def test_a_silent_name_is_told(source: str, name: str) -> None:
    assert silent(made(source)) == [name]


def test_private_names_and_overrides_may_be_silent() -> None:
    source = (
        "'a module'\n"
        "def _f(): pass\n"
        "class B:\n"
        "  'b'\n"
        "  def m(self):\n"
        "    'm'\n"
        "class C(B):\n"
        "  'c'\n"
        "  def m(self): pass\n"
    )
    assert silent(made(source)) == []
