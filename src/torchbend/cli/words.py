"""The small language of the command line: literals, and callbacks written as ``Scale(2.0) >> Clamp(-1, 1)``.

Python's parser reads the text; what it finds is then taken apart by hand. Nothing but numbers, texts, lists,
dicts and the package's own callbacks is accepted, and nothing is ever evaluated.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from typing import Any

import typer

from torchbend.bending import callbacks
from torchbend.bending.callback import BendingCallback

__all__ = ["callback_of", "callback_names", "literal", "named", "named_values", "parse_bend", "value_or_text"]

_LONGEST = 10_000
_NEED_CODE = {"Capture", "InterpolateActivation", "InterpolationFromCapture", "Lambda"}


def callback_names() -> list[str]:
    """The callbacks that can be written on the command line."""
    return sorted(set(callbacks.__all__) - _NEED_CODE)


def named(text: str) -> tuple[str | None, str]:
    """``"x=1"`` as ``("x", "1")``; a text that does not begin with a name as ``(None, text)``."""
    name, equals, value = text.partition("=")
    return (name, value) if equals and name.isidentifier() else (None, text)


def literal(text: str, hint: str = "") -> Any:
    """A number, ``True``, ``False``, ``None``, a quoted text, or a list, tuple or dict of them.

    A word that is none of these stands for itself.

    Raises:
        typer.BadParameter: it is none of these.

    >>> literal("[1, -2.5]"), literal("universal")
    ([1, -2.5], 'universal')
    """
    if text and all(character.isalnum() or character in "_-./" for character in text) and text[0].isalpha():
        return {"True": True, "False": False, "None": None}.get(text, text)
    return _literal(_parsed(text, hint), text, hint)


def value_or_text(text: str, hint: str = "") -> Any:
    """A literal; a text that is none, as a sentence, stands for itself.

    Raises:
        typer.BadParameter: it begins like a list, a dict or a quoted text, and is none.

    >>> value_or_text("[1, 2]"), value_or_text("a cat, asleep"), value_or_text("2 cats")
    ([1, 2], 'a cat, asleep', '2 cats')
    """
    try:
        return literal(text, hint)
    except typer.BadParameter:
        if not text or text[0] in "[({'\"":
            raise
        return text


def named_values(texts: Sequence[str], hint: str) -> dict[str, Any]:
    """``NAME=VALUE`` each, a value as `value_or_text` reads it.

    Raises:
        typer.BadParameter: one of them has no name, or a value cannot be read.
    """
    pairs = [(text, *named(text)) for text in texts]
    for text, name, _ in pairs:
        if name is None:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=hint)
    return {str(name): value_or_text(value, hint) for _, name, value in pairs}


def parse_bend(text: str) -> tuple[BendingCallback, str]:
    """``"Scale(2.0)@decoder.*weight"`` as a callback and a pattern.

    Raises:
        typer.BadParameter: it is malformed.
    """
    quote = ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "@":
            if not text[index + 1 :]:
                break
            return callback_of(text[:index]), text[index + 1 :]
    raise typer.BadParameter(
        f"{text!r} names no site: write CALLBACK@PATTERN, as 'Scale(2.0)@decoder.*weight'",
        param_hint="--bend",
    )


def callback_of(text: str, hint: str = "--bend") -> BendingCallback:
    """A callback as it would be written in Python; several joined by ``>>``.

    Raises:
        typer.BadParameter: it is something else.

    >>> callback_of("Scale(2.0) >> Clamp(max=1)")
    CallbackChain(Scale(scale=2.0), Clamp(min=-1.0, max=1))
    """
    found = _value(_parsed(text, hint), text, hint)
    if not isinstance(found, BendingCallback):
        raise typer.BadParameter(f"{text.strip()!r} is no callback", param_hint=hint)
    return found


def _parsed(text: str, hint: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise typer.BadParameter(f"longer than {_LONGEST} characters", param_hint=hint)
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise typer.BadParameter(f"{text!r} cannot be read: {error}", param_hint=hint) from error


def _value(node: ast.expr, text: str, hint: str) -> Any:
    """A callback or a literal."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift):
        first, second = _value(node.left, text, hint), _value(node.right, text, hint)
        if isinstance(first, BendingCallback) and isinstance(second, BendingCallback):
            return first >> second
        raise typer.BadParameter(f"in {text!r}, >> joins callbacks only", param_hint=hint)
    if isinstance(node, ast.Name):
        return _made(node.id, [], {}, hint)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if any(keyword.arg is None for keyword in node.keywords):
            raise typer.BadParameter(f"in {text!r}, ** is not understood", param_hint=hint)
        arguments = [_value(argument, text, hint) for argument in node.args]
        by_name = {str(k.arg): _value(k.value, text, hint) for k in node.keywords}
        return _made(node.func.id, arguments, by_name, hint)
    return _literal(node, text, hint)


def _made(name: str, arguments: list[Any], by_name: dict[str, Any], hint: str) -> BendingCallback:
    if name in _NEED_CODE:
        raise typer.BadParameter(f"{name} needs a program around it: use it from Python", param_hint=hint)
    if name not in callback_names():
        raise typer.BadParameter(
            f"there is no callback {name!r}; there are {', '.join(callback_names())}", param_hint=hint
        )
    kind: type[BendingCallback] = getattr(callbacks, name)
    signature = inspect.signature(kind)
    try:
        signature.bind(*arguments, **by_name)
    except TypeError as error:
        takes = ", ".join(str(p.replace(annotation=p.empty)) for p in signature.parameters.values())
        raise typer.BadParameter(f"{error}; it is {name}({takes})", param_hint=hint) from error
    return kind(*arguments, **by_name)


def _literal(node: ast.expr, text: str, hint: str) -> Any:
    if isinstance(node, ast.Constant) and _plain(node.value):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = _literal(node.operand, text, hint)
        if isinstance(number, int | float | complex) and not isinstance(number, bool):
            return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.List | ast.Tuple):
        parts = [_literal(part, text, hint) for part in node.elts]
        return tuple(parts) if isinstance(node, ast.Tuple) else parts
    if isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
        keys = [_literal(key, text, hint) for key in node.keys if key is not None]
        if all(isinstance(key, int | float | str | None) for key in keys):
            return dict(zip(keys, (_literal(value, text, hint) for value in node.values), strict=True))
    raise typer.BadParameter(
        f"{ast.unparse(node)!r} in {text!r} is not understood; numbers, texts, lists and callbacks are",
        param_hint=hint,
    )


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | complex | str)
