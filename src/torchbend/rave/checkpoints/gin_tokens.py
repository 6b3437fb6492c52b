"""Tokens and literal values of a configuration file: Python's literals, ``%macro``, ``@reference``."""

from __future__ import annotations

import ast
import io
import math
import tokenize
from dataclasses import dataclass
from tokenize import TokenInfo
from typing import TypeAlias

from torchbend.errors import RAVEConfigError

__all__ = ["Cursor", "Macro", "Reference", "Value", "parse_value"]

DEEPEST = 32
"""Brackets in brackets."""

LONGEST_NUMBER = 64
"""Characters of a number."""


@dataclass(frozen=True)
class Macro:
    """``%NAME``: the value of a macro, looked up when it is needed."""

    name: str


@dataclass(frozen=True)
class Reference:
    """``@scope/module.Name`` or ``@scope/module.Name()``: a class or function, which is never looked up.

    Attributes:
        path: as written, without its scope.
        scope: in which it is to be called; empty for none.
        called: whether its result is meant.
    """

    path: str
    scope: str = ""
    called: bool = False

    @property
    def name(self) -> str:
        """Without its modules."""
        return self.path.rpartition(".")[2]


Value: TypeAlias = (
    bool
    | int
    | float
    | str
    | Macro
    | Reference
    | list["Value"]
    | tuple["Value", ...]
    | dict["Value", "Value"]
    | None
)

_SKIPPED = (tokenize.COMMENT, tokenize.NL)
_CONSTANTS: dict[str, Value] = {"True": True, "False": False, "None": None}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class Cursor:
    """A place in the tokens of a file."""

    def __init__(self, tokens: list[TokenInfo], source: str) -> None:
        self._tokens = tokens
        self._place = 0
        self.source = source

    @classmethod
    def of(cls, text: str, source: str) -> Cursor:
        """At the start of a text.

        Raises:
            RAVEConfigError: the text has open brackets or texts, or an indentation that fits nothing.
        """
        try:
            tokens = [
                t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type not in _SKIPPED
            ]
        except tokenize.TokenError as error:
            reason, (line, _) = error.args
            raise cls._error(source, str(reason), "closed brackets and texts", None, line) from error
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            raise cls._error(source, "this line cannot be read", None, str(error), line) from error
        return cls(tokens, source)

    @property
    def line(self) -> int:
        """Of the next token, from 1."""
        return self._tokens[self._place].start[0]

    @property
    def kind(self) -> int:
        """Of the next token, as the module `tokenize` numbers them."""
        return self._tokens[self._place].type

    def at_end(self) -> bool:
        """Whether nothing but empty lines is left."""
        while self._tokens[self._place].type == tokenize.NEWLINE:
            self._place += 1
        return self._tokens[self._place].type == tokenize.ENDMARKER

    def peek(self, ahead: int = 0) -> str:
        """The text of a token ahead; empty at the end."""
        place = self._place + ahead
        return self._tokens[place].string if place < len(self._tokens) else ""

    def take(self) -> TokenInfo:
        """The next token, which is passed."""
        token = self._tokens[self._place]
        if token.type != tokenize.ENDMARKER:
            self._place += 1
        return token

    def accept(self, sign: str) -> bool:
        """Pass a sign if it is the next one."""
        token = self._tokens[self._place]
        if token.type == tokenize.OP and token.string == sign:
            self._place += 1
            return True
        return False

    def expect(self, sign: str, wanted: str) -> None:
        """Pass a sign that has to come."""
        if not self.accept(sign):
            raise self.unexpected(wanted)

    def name(self, wanted: str) -> str:
        """A name with dots and scopes, as ``periods/nn.Conv2d.bias``."""
        parts = [self._word(wanted)]
        while self.peek() in (".", "/") and self._tokens[self._place].type == tokenize.OP:
            parts += [self.take().string, self._word(wanted)]
        return "".join(parts)

    def text(self) -> str:
        """A text in quotes."""
        token = self._tokens[self._place]
        if token.type != tokenize.STRING:
            raise self.unexpected("a text in quotes")
        return _literal_text(self)

    def rest_of_line(self) -> str:
        """What is left of this line, without comments."""
        words = []
        while self._tokens[self._place].type not in (tokenize.NEWLINE, tokenize.ENDMARKER):
            words.append(self.take().string)
        self.end_of_line()
        return " ".join(words).replace(" . ", ".")

    def end_of_line(self) -> None:
        """The end of a statement."""
        token = self._tokens[self._place]
        if token.type == tokenize.NEWLINE:
            self._place += 1
        elif token.type != tokenize.ENDMARKER:
            raise self.unexpected("the end of the line")

    def indent(self, wanted: str) -> None:
        """The start of an indented block."""
        if self._tokens[self._place].type != tokenize.INDENT:
            raise self.unexpected(wanted)
        self._place += 1

    def dedent(self) -> bool:
        """Pass the end of an indented block if it is here."""
        if self._tokens[self._place].type == tokenize.DEDENT:
            self._place += 1
            return True
        return self._tokens[self._place].type == tokenize.ENDMARKER

    def unexpected(self, wanted: str) -> RAVEConfigError:
        """The error for the next token."""
        token = self._tokens[self._place]
        got = {
            tokenize.NEWLINE: "the end of the line",
            tokenize.ENDMARKER: "the end of the file",
            tokenize.INDENT: "an indentation",
            tokenize.DEDENT: "the end of an indentation",
        }.get(token.type, repr(token.string[:80]))
        return self.error("this line cannot be read", wanted, got, token.start[0])

    def error(self, message: str, wanted: str | None, got: str | None, line: int) -> RAVEConfigError:
        """An error at a line."""
        return self._error(self.source, message, wanted, got, line)

    @staticmethod
    def _error(source: str, message: str, wanted: str | None, got: str | None, line: int) -> RAVEConfigError:
        return RAVEConfigError(message, site=f"{source}, line {line}", wanted=wanted, got=got)

    def _word(self, wanted: str) -> str:
        if self._tokens[self._place].type != tokenize.NAME:
            raise self.unexpected(wanted)
        return self.take().string


def parse_value(cursor: Cursor, depth: int = 0) -> Value:
    """The value that starts at the cursor, which ends behind it.

    Raises:
        RAVEConfigError: there is something else than literals, references and macros.
    """
    if depth > DEEPEST:
        raise cursor.error("too many brackets in brackets", f"at most {DEEPEST}", None, cursor.line)
    if cursor.accept("%"):
        return Macro(cursor.name("the name of a macro"))
    if cursor.accept("@"):
        return _reference(cursor)
    for opening in "([{":
        if cursor.accept(opening):
            items = _dict(cursor, depth) if opening == "{" else _items(cursor, opening, depth)
            return items
    if cursor.kind == tokenize.STRING:
        return _literal_text(cursor)
    token = cursor.take()
    if token.type == tokenize.NAME and token.string in _CONSTANTS:
        return _CONSTANTS[token.string]
    if token.string in ("-", "+"):
        number = _number(cursor, cursor.take())
        return -number if token.string == "-" else number
    return _number(cursor, token)


def _reference(cursor: Cursor) -> Reference:
    scope, _, path = cursor.name("the name of a class or function").rpartition("/")
    called = cursor.accept("(")
    if called:
        cursor.expect(")", "no arguments: @name()")
    return Reference(path, scope, called)


def _items(cursor: Cursor, opening: str, depth: int) -> Value:
    closing = _CLOSING[opening]
    items: list[Value] = []
    commas = 0
    while not cursor.accept(closing):
        if items and commas < len(items):
            raise cursor.unexpected(f"a comma or {closing}")
        items.append(parse_value(cursor, depth + 1))
        commas += cursor.accept(",")
    if opening == "[":
        return items
    return items[0] if len(items) == 1 and not commas else tuple(items)


def _dict(cursor: Cursor, depth: int) -> Value:
    items: dict[Value, Value] = {}
    more = True
    while not cursor.accept("}"):
        if not more:
            raise cursor.unexpected("a comma or }")
        line = cursor.line
        key = parse_value(cursor, depth + 1)
        if not isinstance(key, str | int | float | bool | None):
            raise cursor.error("this cannot be a key", "a text or a number", None, line)
        cursor.expect(":", "a colon and a value")
        items[key] = parse_value(cursor, depth + 1)
        more = cursor.accept(",")
    return items


def _number(cursor: Cursor, token: TokenInfo) -> int | float:
    wanted = "a literal, a %macro or a @reference"
    line, text = token.start[0], token.string
    if token.type != tokenize.NUMBER:
        raise cursor.error("this is no value", wanted, repr(text[:80]) if text.strip() else "nothing", line)
    if len(text) > LONGEST_NUMBER:
        raise cursor.error("this number is too long", f"{LONGEST_NUMBER} digits", text[:32] + "...", line)
    number = ast.literal_eval(text)
    if isinstance(number, complex) or not math.isfinite(number):
        raise cursor.error("this is no real, finite number", wanted, text, line)
    return int(number) if isinstance(number, int) else float(number)


def _literal_text(cursor: Cursor) -> str:
    # Texts side by side are one, as in Python.
    parts = []
    while cursor.kind == tokenize.STRING:
        token = cursor.take()
        try:
            part = ast.literal_eval(token.string)
        except (ValueError, SyntaxError) as error:
            raise cursor.error(
                "this text cannot be read", "a plain text", str(error), token.start[0]
            ) from error
        if not isinstance(part, str):
            raise cursor.error("this is no text", "a plain text", token.string[:80], token.start[0])
        parts.append(part)
    return "".join(parts)
