"""Writing a file so that its reader sees the old one or the new one, never half of it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["remove_halves", "replacing", "write_text"]

_HALF = re.compile(r"\..+-[0-9a-f]{12}\.\w+")
"""The names that `replacing` gives to files that are not finished."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name beside ``path``; rename it to ``path`` when the block ends well.

    When the block raises, the temporary file is removed and ``path`` stays as it was. Missing
    parent folders are made. A symbolic link is followed, so that the file it names is replaced.

    Args:
        path: the file to write.

    Yields:
        The temporary path, in the same folder and with the same suffix. It does not exist yet.

    Raises:
        OSError: the folder cannot be written.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(6)}{target.suffix}")
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 through :func:`replacing`.

    Args:
        path: the file to write.
        text: its whole content.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def remove_halves(folder: str | os.PathLike[str], suffix: str) -> None:
    """Remove what a killed process was writing through :func:`replacing`. Nobody else may be writing there.

    Args:
        folder: with all folders in it; it need not exist.
        suffix: of the files, as ``.wav``.

    Raises:
        OSError: a file cannot be removed.
    """
    for left in Path(folder).rglob(f".*-*{suffix}"):
        if _HALF.fullmatch(left.name):
            left.unlink(missing_ok=True)
