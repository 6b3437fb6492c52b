"""Docstrings as Markdown: doctests become blocks of code, roles become code.

An extension of griffe, which reads the docstrings for the documentation site.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:func|class|meth|mod|attr|data|exc):`~?([^`]+)`")
_CODE = re.compile(r"``([^`]+)``")
_PROMPT = re.compile(r"( *)>>> ")


def as_markdown(text: str) -> str:
    """A docstring with its doctests fenced, and with roles as code."""
    done: list[str] = []
    indent: str | None = None
    for line in _CODE.sub(r"`\1`", _ROLE.sub(r"`\1`", text)).splitlines():
        prompt = _PROMPT.match(line)
        if indent is None and prompt:
            indent = prompt[1]
            done.append(f"{indent}```pycon")
        elif indent is not None and (not line.strip() or not line.startswith(indent)):
            done.append(f"{indent}```")
            indent = None
        done.append(line)
    if indent is not None:
        done.append(f"{indent}```")
    return "\n".join(done)


class DocstringsAsMarkdown(griffe.Extension):
    """Rewrites each docstring as it is read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called once for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
