"""The mark of this project in an archive: facts as JSON, with a sum over the program's text.

The mark tells a file that this project exported, and that has not been edited, from all others. It is no
signature: somebody who wants to can write one. What comes from strangers is a program of strangers.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

from torchbend.errors import ExportError

__all__ = ["DAMAGED", "MARK", "code_digest", "code_files", "digest_of", "write_mark"]

MARK = "torchbend.json"
"""Name of the extra file: ``torch.jit.save(module, path, _extra_files={MARK: json})``."""

DAMAGED = (
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged archive raises."""

LARGEST = 1 << 26
"""Bytes of program text that are read; exported models have some hundred thousand."""


def code_files(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """The program text of an open archive, by the name below its folder ``code``.

    Raises:
        ValueError: it is too long; or another one of `DAMAGED`.
    """
    found: dict[str, bytes] = {}
    infos = [info for info in archive.infolist() if info.filename.endswith(".py")]
    if sum(info.file_size for info in infos) > LARGEST:
        raise ValueError(f"more than {LARGEST} bytes of program text")
    for info in infos:
        _, folder, name = info.filename.partition("/code/")
        if not folder:
            continue
        if name in found:
            raise ValueError(f"two files {info.filename}")
        found[name] = archive.read(info)
    return found


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256, in hexadecimal digits, over names and contents in the order of the names."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0{len(files[name])}\0".encode())
        total.update(files[name])
    return total.hexdigest()


def code_digest(file: str | os.PathLike[str] | IO[bytes]) -> str:
    """The ``sha256`` that the mark of a saved module has to hold.

    Args:
        file: what ``torch.jit.save`` wrote: a path, or an open file such as ``io.BytesIO``.

    Raises:
        ExportError: it is no TorchScript archive.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return digest_of(code_files(archive))
    except DAMAGED as error:
        raise ExportError("this is no TorchScript archive", site=str(file), got=str(error)) from error


def write_mark(path: str | os.PathLike[str], facts: Mapping[str, Any]) -> None:
    """Adds the mark to a file that ``torch.jit.save`` wrote; its ``sha256`` is filled in.

    Args:
        path: of the file.
        facts: see :mod:`torchbend.export.check.facts` for those that the check reads; others may be there.

    Raises:
        ExportError: the file is no TorchScript archive, or has a mark already.
    """
    content = json.dumps({**facts, "sha256": code_digest(path)}, indent=1)
    with zipfile.ZipFile(path, "a") as archive:
        root = archive.namelist()[0].partition("/")[0]
        name = f"{root}/extra/{MARK}"
        if name in archive.namelist():
            raise ExportError("this file is marked already", site=str(path), next_step="export it anew")
        archive.writestr(name, content)
