"""A reader of the configuration language in which RAVE's runs are written (a subset of gin).

Nothing in a file is imported, looked up or executed: imports are kept as text, ``@name`` is kept as a
reference, and values are literals. What a name means is for the reader of the result to say.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torchbend.errors import RAVEConfigError
from torchbend.rave.checkpoints.gin_tokens import Cursor, Value, parse_value

__all__ = ["Binding", "GinFile", "parse_gin", "read_gin_file"]

LONGEST = 1 << 20
"""Characters in a file; those of runs have about ten thousand."""

DEEPEST = 8
"""Files that include each other."""

Include = Callable[[str], "GinFile | str | None"]


@dataclass(frozen=True)
class Binding:
    """A value given to a parameter.

    Attributes:
        scope: in which it holds, as ``"periods"``; empty for everywhere.
        path: of the class or function, as written, as ``"discriminator.ConvNet"``.
        parameter: its name.
        value: literals, with references and macros in them.
        line: where it stands, from 1.
    """

    scope: str
    path: str
    parameter: str
    value: Value
    line: int

    @property
    def name(self) -> str:
        """Of the class or function, without its modules."""
        return self.path.rpartition(".")[2]

    def __str__(self) -> str:
        return f"{self.scope}/{self.path}.{self.parameter}" if self.scope else f"{self.path}.{self.parameter}"


@dataclass(frozen=True)
class GinFile:
    """What a configuration file says.

    Attributes:
        source: a name for messages.
        imports: lines that ask for modules, as text; never followed.
        macros: values by name, the last definition of each.
        bindings: in the order of the file, those of included files at their place.
        bases: names of shipped configurations that the file includes, in order.
    """

    source: str
    imports: tuple[str, ...]
    macros: dict[str, Value]
    bindings: tuple[Binding, ...]
    bases: tuple[str, ...]


def read_gin_file(path: str | os.PathLike[str], shipped: tuple[str, ...] = ()) -> GinFile:
    """Read a configuration file.

    Args:
        path: of the file. A file that it includes is read if it lies in the same folder or below.
        shipped: names of configurations that an ``include`` may name without there being a file.

    Raises:
        RAVEConfigError: the file is missing, too long, no text, or has a line that cannot be read.
    """
    return _read_file(Path(path), shipped, ())


def parse_gin(text: str, source: str = "<text>", include: Include | None = None) -> GinFile:
    """Read a configuration from a text.

    Args:
        text: of the configuration.
        source: a name for messages.
        include: gives for the name in an ``include`` the content, the name of a shipped configuration, or
            ``None`` if there is no such thing. Without it, an ``include`` is refused.

    Raises:
        RAVEConfigError: a line cannot be read; the message has its number.
    """
    if len(text) > LONGEST:
        raise RAVEConfigError(
            "this is too long for a configuration",
            site=source,
            wanted=f"at most {LONGEST} characters",
            got=len(text),
        )
    return _Statements(Cursor.of(text, source), include).read()


def _read_file(path: Path, shipped: tuple[str, ...], within: tuple[Path, ...]) -> GinFile:
    if len(within) >= DEEPEST or path.resolve() in within:
        raise RAVEConfigError(
            "these configuration files include each other", site=str(path), got=" > ".join(map(str, within))
        )
    try:
        size = path.stat().st_size
        # Each character has at most four bytes; a longer file is not even read.
        text = path.read_bytes()[: 4 * LONGEST + 4].decode("utf-8") if size <= 4 * LONGEST else " " * size
    except (OSError, UnicodeDecodeError) as error:
        raise RAVEConfigError(
            "the configuration file cannot be read", site=str(path), wanted="a text file", got=str(error)
        ) from error

    def include(name: str) -> GinFile | str | None:
        beside = Path(name)
        inside = not beside.is_absolute() and ".." not in beside.parts and beside.suffix == ".gin"
        if inside and (path.parent / beside).is_file():
            return _read_file(path.parent / beside, shipped, (*within, path.resolve()))
        return beside.stem if beside.stem in shipped else None

    return parse_gin(text, str(path), include)


class _Statements:
    """Reads statement after statement."""

    def __init__(self, cursor: Cursor, include: Include | None) -> None:
        self.cursor = cursor
        self.include = include
        self.imports: list[str] = []
        self.macros: dict[str, Value] = {}
        self.bindings: list[Binding] = []
        self.bases: list[str] = []

    def read(self) -> GinFile:
        while not self.cursor.at_end():
            self.statement()
        return GinFile(
            self.cursor.source, tuple(self.imports), self.macros, tuple(self.bindings), tuple(self.bases)
        )

    def statement(self) -> None:
        cursor = self.cursor
        line = cursor.line
        word = cursor.peek()
        if word in ("import", "from") and cursor.peek(1) not in ("=", ".", "/", ":"):
            self.imports.append(cursor.rest_of_line())
            return
        if word == "include" and cursor.peek(1) not in ("=", ".", "/", ":"):
            cursor.take()
            self.include_file(cursor.text(), line)
            cursor.end_of_line()
            return
        name = cursor.name("the name of a macro or of a parameter, or an import")
        if cursor.accept(":"):
            self.block(name)
            return
        cursor.expect("=", f"a value: {name} = ...")
        value = parse_value(cursor)
        cursor.end_of_line()
        self.bind(name, value, line)

    def block(self, name: str) -> None:
        cursor = self.cursor
        cursor.end_of_line()
        cursor.indent(f"indented parameters of {name}")
        while not cursor.dedent():
            line = cursor.line
            parameter = cursor.name(f"a parameter of {name}")
            cursor.expect("=", f"a value: {parameter} = ...")
            value = parse_value(cursor)
            cursor.end_of_line()
            self.bind(f"{name}.{parameter}", value, line)

    def bind(self, name: str, value: Value, line: int) -> None:
        scope, _, rest = name.rpartition("/")
        path, _, parameter = rest.rpartition(".")
        if path:
            self.bindings.append(Binding(scope, path, parameter, value, line))
        elif scope:
            raise self.cursor.error("a macro has no scope", "a parameter: scope/Class.parameter", name, line)
        else:
            self.macros[parameter] = value

    def include_file(self, name: str, line: int) -> None:
        found = self.include(name) if self.include is not None else None
        if found is None:
            raise self.cursor.error(
                "this included configuration is not known",
                "the name of a shipped configuration, or a .gin file in the same folder",
                name,
                line,
            )
        if isinstance(found, str):
            self.bases.append(found)
            return
        self.imports.extend(found.imports)
        self.macros.update(found.macros)
        self.bindings.extend(found.bindings)
        self.bases.extend(found.bases)
