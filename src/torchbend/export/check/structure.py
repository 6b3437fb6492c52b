"""What an exported file is made of, read without torch and without running anything of it."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torchbend.errors import ExportError
from torchbend.export.check.facts import Facts
from torchbend.export.check.findings import Finding, failure, warning
from torchbend.export.check.mark import DAMAGED, MARK, code_files, digest_of
from torchbend.export.check.operators import check_calls
from torchbend.export.check.program import Program, read_program
from torchbend.export.check.schemas import LIBTORCH

__all__ = ["NEWEST_FORMAT", "Structure", "read_structure"]

NEWEST_FORMAT = 10
"""The newest version of the file format that libtorch 2.5.1 reads."""

LARGEST_MARK = 1 << 22


@dataclass
class Structure:
    """A file from outside.

    Attributes:
        path: of the file.
        size: in bytes.
        format: version of the archive's format; 0 where it is not told.
        program: what its text holds.
        facts: what it says of itself.
        ours: whether it carries this project's mark, and its text is the one that was marked.
        why_not: why it does not count as this project's.
        findings: what is wrong with it so far.
        readable: whether it is a TorchScript archive at all.
    """

    path: Path
    size: int = 0
    format: int = 0
    program: Program = field(default_factory=Program)
    facts: Facts = field(default_factory=Facts)
    ours: bool = False
    why_not: str = ""
    findings: list[Finding] = field(default_factory=list)
    readable: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The structure as plain data."""
        return {
            "bytes": self.size,
            "format": self.format,
            "ours": self.ours,
            "why_not": self.why_not,
            "classes": len(self.program.classes),
            "operators": sorted({call.operator for call in self.program.calls}),
            "buffers": self.program.buffer_names(),
        }


def read_structure(path: str | os.PathLike[str]) -> Structure:
    """Looks into a file from outside.

    Raises:
        ExportError: there is no such file.
    """
    found = Structure(Path(path))
    if not found.path.is_file():
        raise ExportError(
            "there is no such file", site=str(found.path), wanted="a model that was exported, as model.ts"
        )
    found.size = found.path.stat().st_size
    try:
        with zipfile.ZipFile(found.path) as archive:
            _read(found, archive)
    except DAMAGED as error:
        found.readable = False
        found.findings.append(
            failure(
                "structure",
                str(found.path),
                "the file is damaged, or no TorchScript archive",
                "what torch.jit.save writes",
                str(error)[:300],
                "export it anew, or compare its size with the original's: such a file ends the host of nn~",
            )
        )
    return found


def _read(found: Structure, archive: zipfile.ZipFile) -> None:
    """Fills in what the archive holds.

    Raises:
        ValueError: it is another kind of archive; or another one of `DAMAGED`.
    """
    names = archive.namelist()
    roots = {name.partition("/")[0] for name in names}
    if len(roots) != 1:
        raise ValueError(f"{len(roots)} folders at the top")
    (root,) = roots
    if f"{root}/constants.pkl" not in names or f"{root}/data.pkl" not in names:
        raise ValueError("no constants.pkl and data.pkl")
    files = code_files(archive)
    if not files:
        raise ValueError("no program text")
    if (broken := archive.testzip()) is not None:
        raise ValueError(f"the sum of {broken} is wrong")
    found.readable = True
    found.program = read_program({name: data.decode("utf-8", "replace") for name, data in files.items()})
    _read_format(found, archive, root)
    mark = _mark(found, archive, root, digest_of(files))
    found.facts = Facts.read(mark, _sidecar(found.path))
    found.findings += check_calls(found.program)


def _read_format(found: Structure, archive: zipfile.ZipFile, root: str) -> None:
    for name in (f"{root}/version", f"{root}/.data/version"):
        if name in archive.namelist() and archive.getinfo(name).file_size < 64:
            text = archive.read(name).decode("ascii", "replace").strip()
            found.format = int(text) if text.isdecimal() else 0
    if found.format > NEWEST_FORMAT:
        found.findings.append(
            failure(
                "structure",
                str(found.path),
                f"the archive is of a newer format than libtorch {LIBTORCH} reads",
                f"at most {NEWEST_FORMAT}",
                found.format,
                "export it with another version of torch",
            )
        )
    for name, reason in found.program.unread.items():
        found.findings.append(
            warning(
                "code",
                name,
                "this text of the program is not understood; only what is loaded of it is checked",
                got=reason,
            )
        )


def _mark(found: Structure, archive: zipfile.ZipFile, root: str, digest: str) -> dict[str, Any]:
    """The facts of the mark, valid or not; and whether it is."""
    name = f"{root}/extra/{MARK}"
    if name not in archive.namelist():
        found.why_not = "it carries no mark of torchbend"
        return {}
    info = archive.getinfo(name)
    facts = _json(archive.read(info)) if info.file_size <= LARGEST_MARK else {}
    found.ours = facts.get("sha256") == digest
    if not found.ours:
        found.why_not = "its program is not the one that was marked"
    return facts


def _sidecar(path: Path) -> dict[str, Any]:
    """The facts in the JSON file beside the model, if there is one."""
    beside = path.with_suffix(".json")
    if beside == path or not beside.is_file() or beside.stat().st_size > LARGEST_MARK:
        return {}
    try:
        return _json(beside.read_bytes())
    except OSError:
        return {}


def _json(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
