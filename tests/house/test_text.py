"""What no file of the project holds: registry hosts, a machine's paths, unowned notes, loose code."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

# Written in pieces, so that this file passes its own test.
HOSTS = ("pypi" + ".org", "python" + "hosted.org", "download.py" + "torch.org", "conda.ana" + "conda.org")
HOSTS += ("registry.npm" + "js.org", "proxy.go" + "lang.org", "crates" + ".io")
NOTES = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
MACHINE_PATH = re.compile(r"(?<![\w./:}])/(?:home|root|work|Users)/\w")
BINARY = {".wav", ".flac", ".png", ".safetensors", ".gz", ".ts", ".pt"}


def project_files(root: Path) -> list[Path]:
    """The text files that a checkout holds, or would after a commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if answer.returncode:
        pytest.skip("needs a git checkout")
    paths = [root / line for line in answer.stdout.splitlines()]
    return [path for path in paths if path.is_file() and path.suffix not in BINARY]


def loose_text(text: str) -> list[str]:
    """What a text file may not hold, one finding for each."""
    told = []
    for number, line in enumerate(text.splitlines(), start=1):
        told += [f"{number}: names the host {host}" for host in HOSTS if host in line]
        if NOTES.search(line):
            told.append(f"{number}: a note left in: {line.strip()[:80]}")
        if MACHINE_PATH.search(line):
            told.append(f"{number}: a path of one machine: {line.strip()[:80]}")
    return told


def raises_again(handler: ast.ExceptHandler) -> bool:
    """Whether a handler lets the exception go on: the same one, or as the cause of the package's own."""
    last = handler.body[-1]
    if not isinstance(last, ast.Raise):
        return False
    cause = last.cause.id if isinstance(last.cause, ast.Name) else None
    return last.exc is None or (cause is not None and cause == handler.name)


def loose_code(source: str, in_package: bool) -> list[str]:
    """What a Python file may not hold, one finding for each."""
    told = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            told.append(f"{node.lineno}: star import")
        elif isinstance(node, ast.ExceptHandler):
            caught = {name.id for name in ast.walk(node.type or node) if isinstance(name, ast.Name)}
            if node.type is None:
                told.append(f"{node.lineno}: bare except")
            elif in_package and caught & {"Exception", "BaseException"} and not raises_again(node):
                told.append(f"{node.lineno}: catches everything")
        elif in_package and isinstance(node, ast.Assert):
            told.append(f"{node.lineno}: assert as validation")
    return told


def test_no_file_holds_what_does_not_belong(repository: Path) -> None:
    told = []
    for path in project_files(repository):
        place = path.relative_to(repository)
        text = path.read_text(encoding="utf-8")
        told += [f"{place}:{finding}" for finding in loose_text(text)]
        if path.suffix == ".py":
            told += [f"{place}:{finding}" for finding in loose_code(text, place.parts[0] == "src")]
    assert not told, "\n".join(told)


@pytest.mark.parametrize(
    "text", [*HOSTS, "# TO" + "DO: later", "FIX" + "ME", "open('/ho" + "me/me/model.pt')"]
)
def test_text_that_does_not_belong_is_told(text: str) -> None:
    assert len(loose_text(f"fine\n{text}\nfine")) == 1


@pytest.mark.parametrize(
    "text", ["a method, two methods", "src/root/home/work", "s3://work/x", "https://x.io/home/a"]
)
def test_other_text_is_fine(text: str) -> None:
    assert not loose_text(text)


@pytest.mark.parametrize(
    "source",
    [
        "from torch import *",
        "try:\n    x = 1\nexcept:\n    pass",
        "try:\n    x = 1\nexcept Exception:\n    pass",
        "try:\n    x = 1\nexcept (ValueError, BaseException) as error:\n    pass",
        "def f(x):\n    assert x > 0",
    ],
)
def test_loose_code_is_told(source: str) -> None:
    assert len(loose_code(source, in_package=True)) == 1


def test_code_that_catches_what_it_means_is_fine() -> None:
    assert not loose_code("try:\n    x = 1\nexcept ValueError:\n    x = 2", in_package=True)
    assert not loose_code("try:\n    x = 1\nexcept BaseException:\n    x = 2\n    raise", in_package=True)
    assert not loose_code("assert 1", in_package=False)
