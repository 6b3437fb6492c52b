"""Known models by their kinds: ``language`` in ``torchbend render language:gpt2``."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import re
from typing import Any, NamedTuple

from torchbend import interfaces
from torchbend.errors import TorchbendError
from torchbend.interfaces.base import BendingInterface

__all__ = [
    "Option",
    "about_arguments",
    "all_kinds",
    "class_options",
    "closest_kinds",
    "install",
    "is_installed",
    "kind_of",
    "options_of",
    "render_options",
    "tiny_options",
]

Kind = type[BendingInterface]

_MODULES_OF = {
    "transformers": ("transformers",),
    "diffusion": ("transformers", "diffusers"),
    "large": ("transformers", "accelerate"),
}
"""What an extra of the package brings, as it is imported."""


class Option(NamedTuple):
    """A keyword argument.

    Attributes:
        name: of the argument.
        default: what it is where nothing is given.
        about: what its docstring says.
    """

    name: str
    default: Any
    about: str


# -- kinds and classes -------------------------------------------------------------------------------------


def kind_of(name: str) -> Kind | None:
    """The class of a kind; only classes whose names begin like the kind are imported.

    Args:
        name: as ``"language"``.

    Returns:
        The class; None where no kind has this name.

    >>> kind_of("rave").__name__, kind_of("birds")
    ('BendedRAVE', None)
    """
    for class_name in _class_names():
        if name and _stem(class_name).startswith(name):
            found = _imported(class_name)
            if found.kind == name:
                return found
    return None


def all_kinds() -> dict[str, Kind]:
    """Every kind with its class, by name; the libraries that they are built on are not imported."""
    found = {kind.kind: kind for kind in map(_imported, _class_names()) if kind.kind}
    return dict(sorted(found.items()))


def closest_kinds(name: str) -> list[str]:
    """The kinds that are called most like ``name``; none where none is."""
    return difflib.get_close_matches(name, all_kinds(), n=3, cutoff=0.5)


def _class_names() -> list[str]:
    """The registered classes; ``BendingInterface``, the base, is none of them."""
    return list(interfaces._HOME_OF)


def _stem(class_name: str) -> str:
    return class_name.removeprefix("Bended").lower()


def _imported(class_name: str) -> Kind:
    found = getattr(interfaces, class_name)
    if not (isinstance(found, type) and issubclass(found, BendingInterface)):
        raise TorchbendError(
            "this is registered as an interface and is none",
            site=f"torchbend.interfaces.{class_name}",
            wanted="a subclass of BendingInterface",
            got=repr(found),
        )
    return found


# -- what they need ------------------------------------------------------------------------------------------


def is_installed(kind: Kind) -> bool:
    """Whether everything is there that the models of a kind need; nothing is imported for it."""
    needed = _MODULES_OF.get(kind.extra, (kind.extra,)) if kind.extra else ()
    return all(importlib.util.find_spec(name) is not None for name in needed)


def install(kind: Kind) -> str:
    """The command that installs what the models of a kind need."""
    return f'pip install "torchbend[{kind.extra}]"'


# -- arguments -----------------------------------------------------------------------------------------------


def options_of(function: Any, *leave_out: str, owner: type | None = None) -> list[Option]:
    """The arguments of a function that are given by name.

    Args:
        function: a class, or a method of one.
        leave_out: names that are not told.
        owner: the class of a method: where a docstring says "as of `generate`", its method is asked.
    """
    about = about_arguments(function)
    return [
        Option(name, argument.default, _followed(name, about.get(name, ""), owner))
        for name, argument in inspect.signature(function).parameters.items()
        if argument.kind in (argument.KEYWORD_ONLY, argument.POSITIONAL_OR_KEYWORD)
        and argument.default is not argument.empty
        and name not in leave_out
    ]


def class_options(kind: Kind) -> list[Option]:
    """The arguments of a class that are given by name, without the source, which comes first."""
    return options_of(kind, *list(inspect.signature(kind).parameters)[:1])


def tiny_options(kind: Kind) -> list[Option]:
    """The arguments that a class's tiny models have beside those of the class."""
    return options_of(kind.tiny, "seed")


def render_options(kind: Kind) -> list[Option]:
    """The options of a class's `render`."""
    return options_of(kind.render, "inputs", "seed", owner=kind)


def about_arguments(function: Any) -> dict[str, str]:
    """What the docstring of a function, or those of a class and its parents, say of each argument."""
    if not isinstance(function, type):
        return _about(inspect.getdoc(function) or "")
    told: dict[str, str] = {}
    for parent in reversed(function.__mro__):
        told |= _about(inspect.cleandoc(vars(parent).get("__doc__") or ""))
        told |= _about(inspect.getdoc(vars(parent).get("__init__")) or "") if parent is not object else {}
    return told


def _followed(name: str, about: str, owner: type | None) -> str:
    elsewhere = re.fullmatch(r"as of `(\w+)`\.?", about)
    if elsewhere is None or owner is None:
        return about
    return about_arguments(getattr(owner, elsewhere[1], None)).get(name, about)


def _about(text: str) -> dict[str, str]:
    """The part ``Args:`` of a docstring."""
    told: dict[str, str] = {}
    names: list[str] = []
    for line in text.partition("\nArgs:\n")[2].splitlines():
        if not line.strip() or not line.startswith("    "):
            break
        if line.startswith("     "):
            for name in names:
                told[name] += " " + line.strip()
            continue
        heads, _, what = line.strip().partition(":")
        names = [name.strip() for name in heads.split(",")]
        told.update(dict.fromkeys(names, what.strip()))
    return told
