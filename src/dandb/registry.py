"""Lists of models at public addresses: what they are called, where they are, and how to know them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from torchbend.display import write_text
from torchbend.errors import DownloadError

__all__ = ["BUILT_IN", "SUFFIXES", "Entry", "Registry", "checksum", "read_registry", "write_registry"]

BUILT_IN = Path(__file__).with_name("models.json")
"""The registry that comes with the package."""

SUFFIXES = (".safetensors", ".ts", ".ckpt", ".pt", ".pth", ".pt2")
"""What files of models are called."""

_SCHEMES = ("https", "http", "file")
_FORMAT = "dandb models"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?|[0-9a-f:.]*:[0-9a-f:.]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A model at an address.

    Args:
        name: letters, digits, dots, dashes and underscores; the file in the cache is called so too.
        url: that downloads the file itself: ``https``, ``http`` or ``file``.
        sha256: of the file, 64 hexadecimal digits.
        size: of the file, in bytes, 1 or more.
        licence: under which it may be used.
        source: who made it, and of which recordings.

    Raises:
        DownloadError: one of them is none.
    """

    name: str
    url: str
    sha256: str
    size: int
    licence: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        checks = (
            ("name", isinstance(self.name, str) and _NAME.fullmatch(self.name), "letters, digits, . _ -"),
            ("url", isinstance(self.url, str) and _is_address(self.url), "an address of a file of a model"),
            ("sha256", isinstance(self.sha256, str) and _SHA256.fullmatch(self.sha256), "64 hex digits"),
            ("size", type(self.size) is int and self.size > 0, "a number of bytes"),
            ("licence", isinstance(self.licence, str), "text"),
            ("source", isinstance(self.source, str), "text"),
        )
        for what, fine, wanted in checks:
            if not fine:
                if what == "url":
                    wanted += f": {', '.join(_SCHEMES)}, ending in {', '.join(SUFFIXES)}"
                raise DownloadError(
                    "an entry of the registry is wrong",
                    site=f"{what} of {self.name!r}",
                    wanted=wanted,
                    got=repr(getattr(self, what))[:120],
                )

    @property
    def file(self) -> str:
        """What the file is called in the cache."""
        return self.name + _suffix(self.url)

    @classmethod
    def of_file(
        cls,
        path: str | os.PathLike[str],
        url: str,
        name: str | None = None,
        licence: str = "",
        source: str = "",
    ) -> Entry:
        """The entry for a file that you have, and that others will fetch from ``url``.

        Args:
            path: of the file; its checksum and size are taken.
            url, licence, source: as above.
            name: the file's own without its suffix, by default.

        Raises:
            DownloadError: the file cannot be read, or an argument is wrong.
        """
        try:
            size, found = Path(path).stat().st_size, checksum(Path(path))
        except OSError as error:
            raise DownloadError("the file cannot be read", site=str(path), got=str(error)) from error
        return cls(name or Path(path).stem, url, found, size, licence, source)


@dataclass(frozen=True)
class Registry:
    """Models by name.

    Args:
        entries: models at addresses.
        stand_ins: names of models that cannot be had, each with the name of the one that takes its place.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    def __or__(self, other: Registry) -> Registry:
        """Both; where they disagree, the other one."""
        return Registry({**self.entries, **other.entries}, {**self.stand_ins, **other.stand_ins})


def read_registry(path: str | os.PathLike[str]) -> Registry:
    """The models that a JSON file lists.

    Args:
        path: of the file: ``{"format": "dandb models", "version": 1, "models": [{"name": ..., "url": ...,
            "sha256": ..., "size": ..., "licence": ..., "source": ...}], "stand_ins": {name: name}}``. An
            address without ``https://`` is a path from the folder that the file lies in.

    Raises:
        DownloadError: it cannot be read, is something else, or an entry in it is wrong.
    """
    try:
        held = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DownloadError("the registry cannot be read", site=str(path), got=str(error)) from error
    if not isinstance(held, dict) or held.get("format") != _FORMAT or held.get("version") != 1:
        raise DownloadError(
            "this is no registry of models",
            site=str(path),
            wanted=f'a JSON file with "format": "{_FORMAT}" and "version": 1',
            next_step="dandb.registry.write_registry(path, [Entry.of_file(...)]) writes one",
        )
    models, stand_ins = held.get("models", []), held.get("stand_ins", {})
    if not isinstance(models, list) or not isinstance(stand_ins, dict):
        raise DownloadError(
            "this is no registry of models", site=str(path), wanted='a list "models" and a dict "stand_ins"'
        )
    folder = Path(path).absolute().parent.as_uri() + "/"
    entries = [_entry(each, folder, str(path)) for each in models]
    twice = [
        entry.name for number, entry in enumerate(entries) if entry.name in {e.name for e in entries[:number]}
    ]
    if twice:
        raise DownloadError("the registry names a model twice", site=str(path), got=twice[0])
    if not all(isinstance(name, str) and isinstance(other, str) for name, other in stand_ins.items()):
        raise DownloadError("stand-ins are names of models", site=str(path), got=repr(stand_ins)[:120])
    return Registry({entry.name: entry for entry in entries}, stand_ins)


def write_registry(path: str | os.PathLike[str], entries: Iterable[Entry]) -> None:
    """Write a file that `read_registry` reads, for others to use.

    Raises:
        OSError: the file cannot be written.
    """
    models = [{key: value for key, value in vars(entry).items() if value != ""} for entry in entries]
    text = json.dumps({"format": _FORMAT, "version": 1, "models": models}, indent=2, ensure_ascii=False)
    write_text(path, text + "\n")


def checksum(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def _entry(given: Any, folder: str, registry: str) -> Entry:
    known = ("name", "url", "sha256", "size", "licence", "source")
    if (
        not isinstance(given, dict)
        or set(given) - set(known)
        or not {"name", "url", "sha256", "size"} <= set(given)
    ):
        raise DownloadError(
            "an entry of the registry is wrong",
            site=registry,
            wanted="name, url, sha256, size; licence and source, if known",
            got=", ".join(map(str, given)) if isinstance(given, dict) else repr(given)[:120],
        )
    address = given["url"]
    try:
        whole = urljoin(folder, address) if isinstance(address, str) else address
    except ValueError:
        whole = address
    return Entry(**{**given, "url": whole})


def _suffix(url: str) -> str:
    """What the name of the file at an address ends in."""
    return PurePosixPath(unquote(urlsplit(url).path)).suffix.lower()


def _is_host(name: str | None) -> bool:
    """Whether this can be a host: letters of ASCII, others as in ``xn--bcher-kva``."""
    return name is not None and _HOST.fullmatch(name) is not None


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    there = _is_host(parts.hostname) if parts.scheme != "file" else not parts.netloc
    return parts.scheme in _SCHEMES and there and _suffix(url) in SUFFIXES
