"""The operators of libtorch 2.5.1, in which nn~ runs a file, and whether a call fits one of them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = [
    "LIBTORCH",
    "Argument",
    "Schema",
    "accepting",
    "accepts",
    "known",
    "parse_schema",
    "same_arguments",
    "same_call",
]

LIBTORCH = "2.5.1"

_LIST = f"libtorch-{LIBTORCH}.txt.gz"
_SCHEMA = re.compile(r"^(?P<name>\w+::\w+)(?:\.(?P<overload>\w+))?\((?P<arguments>.*)\) -> (?P<result>.*)$")
_ALIAS = re.compile(r"\([a-z*][^(),]*\)")
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class Argument:
    """One argument of an operator.

    Attributes:
        name: as a keyword.
        type: without marks of aliasing and fixed list lengths; symbolic sizes are ``int``.
        optional: whether it has a default.
        keyword: whether it can only be given by name.
    """

    name: str
    type: str
    optional: bool = False
    keyword: bool = False


@dataclass(frozen=True)
class Schema:
    """One overload of an operator; `variadic` ones take anything more."""

    name: str
    overload: str
    arguments: tuple[Argument, ...]
    variadic: bool
    text: str


def parse_schema(text: str) -> Schema:
    """The schema that a line such as ``aten::relu(Tensor self) -> Tensor`` describes.

    >>> parse_schema("aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor").arguments[2]
    Argument(name='alpha', type='Scalar', optional=True, keyword=True)

    Raises:
        ValueError: the text is no schema.
    """
    found = _SCHEMA.match(text.strip())
    if found is None:
        raise ValueError(f"no schema: {text[:80]}")
    arguments: list[Argument] = []
    keyword = variadic = False
    for part in _split(found["arguments"]):
        if part == "*":
            keyword = True
        elif part == "...":
            variadic = True
        else:
            arguments.append(_argument(part, keyword))
    return Schema(found["name"], found["overload"] or "", tuple(arguments), variadic, text.strip())


@cache
def known(name: str) -> tuple[Schema, ...]:
    """All overloads that libtorch 2.5.1 has of an operator (``aten::add``); none when it is unknown there."""
    return tuple(parse_schema(line) for line in _lines().get(name, ()))


@cache
def _lines() -> Mapping[str, tuple[str, ...]]:
    """The list by name. Parsing all of it takes a second; the operators of one file, nothing."""
    text = gzip.decompress(files(__package__).joinpath(_LIST).read_bytes()).decode()
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        found.setdefault(line[: line.index("(")].partition(".")[0], []).append(line)
    return {name: tuple(lines) for name, lines in found.items()}


def accepting(name: str, positional: int, keywords: Collection[str]) -> tuple[Schema, ...]:
    """The overloads of 2.5.1 that can be called with so many arguments in order, and these by name.

    >>> len(accepting("aten::relu", 1, ()))
    1
    >>> accepting("aten::relu", 2, ()), accepting("aten::no_such_operator", 1, ())
    ((), ())
    """
    return tuple(schema for schema in known(name) if _accepts(schema, positional, set(keywords)))


def same_arguments(used: Schema) -> bool:
    """Whether 2.5.1 has an overload that takes what this schema takes.

    Names of overloads are not stored in files, so that any overload will do. Arguments with defaults that
    only the newer one has do not matter here: see `same_call` for calls that give them.
    """
    return any(_covers(old, used) for old in known(used.name))


def same_call(used: Schema, positional: int, keywords: Collection[str]) -> bool:
    """Whether 2.5.1 takes a call with so many arguments in order, and these by name, as this schema does."""
    return any(
        old.variadic or _covers(old, used, positional) for old in accepting(used.name, positional, keywords)
    )


def accepts(schema: Schema, positional: int, keywords: Collection[str]) -> bool:
    """Whether a schema can be called with so many arguments in order, and these by name."""
    return _accepts(schema, positional, set(keywords))


def _accepts(schema: Schema, positional: int, keywords: set[str]) -> bool:
    if schema.variadic:
        return True
    in_order = [argument for argument in schema.arguments if not argument.keyword]
    if positional > len(in_order):
        return False
    left = [*in_order[positional:], *(a for a in schema.arguments if a.keyword)]
    names = {argument.name for argument in left}
    return keywords <= names and all(a.optional or a.name in keywords for a in left)


def _covers(old: Schema, used: Schema, positional: int = 0) -> bool:
    """Whether the older overload takes what the used one takes; at least the first ``positional`` ones."""
    if old.variadic or used.variadic:
        return old.variadic
    required = sum(not argument.optional for argument in used.arguments)
    if len(old.arguments) < required:
        return False
    by_name = {argument.name: argument for argument in used.arguments}
    for place, argument in enumerate(old.arguments):
        in_order = place < max(positional, required) and not argument.keyword and place < len(used.arguments)
        given = used.arguments[place] if in_order else by_name.get(argument.name)
        if given is None:
            if not argument.optional:
                return False
        elif not _takes(argument.type, given.type):
            return False
    return True


def _takes(wanted: str, given: str) -> bool:
    if wanted == given or wanted == f"{given}?" or wanted == "Any" or re.fullmatch(r"t\d?", wanted):
        return True
    return wanted.removesuffix("?") == "Scalar" and given.removesuffix("?") in {"int", "float", "complex"}


def _argument(text: str, keyword: bool) -> Argument:
    declared, equals, _ = _partition(text)
    kind, _, name = declared.strip().rpartition(" ")
    kind = (
        re.sub(r"\[\d+\]", "[]", _ALIAS.sub("", kind)).replace("SymInt", "int").replace("SymFloat", "float")
    )
    return Argument(name, kind.strip(), bool(equals), keyword)


def _partition(text: str) -> tuple[str, str, str]:
    """At the first equals sign outside of brackets."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter in _OPENING) - (letter in _CLOSING)
        if letter == "=" and depth == 0:
            return text[:place], "=", text[place + 1 :]
    return text, "", ""


def _split(text: str) -> list[str]:
    """At commas outside of brackets and quotes."""
    parts, depth, quoted, begin = [], 0, False, 0
    for place, letter in enumerate(text):
        quoted ^= letter == '"'
        if quoted:
            continue
        depth += (letter in _OPENING) - (letter in _CLOSING)
        if letter == "," and depth == 0:
            parts.append(text[begin:place].strip())
            begin = place + 1
    parts.append(text[begin:].strip())
    return [part for part in parts if part]
