"""Runs the examples of a page, in order, in one namespace, and collects what they print."""

from __future__ import annotations

import contextlib
import doctest
import io
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .pages import Block, Example

FLAGS = doctest.ELLIPSIS


@contextlib.contextmanager
def printed() -> Iterator[io.StringIO]:
    """What is printed and logged meanwhile, as a terminal would show it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setLevel(logging.WARNING)
    logger = logging.getLogger("torchbend")
    logger.addHandler(handler)
    try:
        with contextlib.redirect_stdout(out):
            yield out
    finally:
        logger.removeHandler(handler)


def run_python(block: Block, name: str, namespace: dict[str, Any]) -> str:
    """What a Python block prints; marked ``raises``, the last lines of its traceback too."""
    code = compile(block.text, "example.py", "exec")
    raised: BaseException | None = None
    with printed() as out:
        try:
            exec(code, namespace)  # noqa: S102  the examples of our own pages
        except Exception as error:
            if "raises" not in block.options:
                raise AssertionError(f"{name}, the block at line {block.line}: {error!r}") from error
            raised = error
    if "raises" in block.options:
        if raised is None:
            raise AssertionError(f"{name}:{block.line}: nothing was raised")
        return out.getvalue() + "".join(traceback.format_exception_only(raised))
    return out.getvalue()


def run_console(block: Block, folder: Path) -> str:
    """A console block as it would look: each line ``$ command`` with what the command prints below it."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    shown = ""
    for command in commands(block):
        done = subprocess.run(
            command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        if done.returncode and "fails" not in block.options:
            raise AssertionError(f"{command}\n{done.stdout}{done.stderr}")
        shown += "$ " + command.replace("\\\n", "\\\n  ") + "\n" + done.stdout
        shown += done.stderr if "fails" in block.options else ""
    return shown


def commands(block: Block) -> list[str]:
    """The commands of a console block; one goes on in the next line after a backslash."""
    found: list[str] = []
    going_on = False
    for line in block.text.splitlines():
        if going_on:
            found[-1] += "\n" + line.strip()
        elif line.startswith("$ "):
            found.append(line[2:])
        going_on = (going_on or line.startswith("$ ")) and line.endswith("\\")
    return found


def agree(wanted: str, got: str) -> bool:
    """Whether an output is what the page shows; ``...`` on the page stands for anything."""
    return doctest.OutputChecker().check_output(_tidy(wanted), _tidy(got), FLAGS)


def _tidy(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines())


def run_page(examples: list[Example], page: str, folder: Path) -> Iterator[tuple[Example, str, bool]]:
    """Each example with its output, and whether that is what the page shows."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for example in examples:
        if example.block.options.startswith("file="):
            (folder / example.block.options.removeprefix("file=")).write_text(example.block.text, "utf-8")
        elif example.block.language == "console":
            got = run_console(example.block, folder)
            yield example, got, agree(example.block.text, got)
        else:
            got = run_python(example.block, page, namespace)
            yield example, got, example.output is None or agree(example.output.text, got)
