"""Fetching a file: with progress, going on where it stopped, and only if it is the file that was meant."""

from __future__ import annotations

import http.client
import os
import ssl
import string
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from dandb.registry import Entry, checksum
from torchbend.corpus.locking import lock
from torchbend.display.progress import counting_bytes
from torchbend.errors import DownloadError, UnreachableError
from torchbend.version import __version__

__all__ = ["cached", "fetch"]

TIMEOUT = 20.0
"""Seconds without a byte after which an address counts as silent."""

_TRIES = 3
_PAUSE = 0.5
_BLOCK = 1 << 16
_PATIENCE = 3600.0

# What urllib raises where the network, and not the file, is at fault.
_NETWORK = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError)


class _FewRedirects(urllib.request.HTTPRedirectHandler):
    """Follows an address to few others, and from a safe one to safe ones only."""

    max_redirections = 5

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        safe = ("https",) if req.type == "https" else ("http", "https")
        if urlsplit(newurl).scheme not in safe:
            raise DownloadError(
                "the address leads elsewhere",
                site=req.full_url,
                wanted=" or ".join(safe),
                got=newurl[:200],
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def cached(entry: Entry, folder: Path) -> Path | None:
    """The file of an entry, if it was fetched before and is still what it should be."""
    target = folder / entry.file
    try:
        fine = target.stat().st_size == entry.size and checksum(target) == entry.sha256
    except OSError:
        return None
    return target if fine else None


def fetch(entry: Entry, folder: Path, progress: bool | None = None) -> Path:
    """The file of an entry: from the folder, or else from its address.

    What arrives is kept in a ``.part`` file until it is whole; after an interruption only the rest is asked
    for. Several programs may fetch into one folder.

    Args:
        entry: which, from where, and its checksum.
        folder: that keeps it; it is made.
        progress: whether to show a bar; None: on a terminal and in a notebook.

    Returns:
        The path of the file, which has the checksum.

    Raises:
        UnreachableError: the address does not answer, or stops.
        DownloadError: there is no such file, it is another one, or it cannot be written. A file with another
            checksum does not stay.
    """
    found = cached(entry, folder)
    if found is not None:
        return found
    target = folder / entry.file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f".{entry.file}.lock").open("wb") as held:
            if not lock(held, _PATIENCE):
                raise DownloadError("another program is fetching this file", site=str(target))
            found = cached(entry, folder)  # that other program had it, meanwhile
            if found is None:
                part = folder / f"{entry.file}.{entry.sha256[:12]}.part"
                _arrive(entry, part, progress)
                os.replace(part, target)
    except OSError as error:
        raise DownloadError(
            "the file cannot be kept",
            site=str(target),
            got=str(error),
            next_step="TORCHBEND_CACHE names another folder",
        ) from error
    return target


def _arrive(entry: Entry, part: Path, progress: bool | None) -> None:
    """The whole file, checked, in ``part``."""
    if _size(part) > entry.size:
        part.unlink()
    begun_before = _size(part) > 0
    _whole(entry, part, progress)
    if begun_before and checksum(part) != entry.sha256:  # the file at the address may have changed since
        part.unlink()
        _whole(entry, part, progress)
    found = checksum(part)
    if found != entry.sha256:
        part.unlink()
        raise DownloadError(
            "what was fetched is not what the registry says; it was deleted",
            site=entry.url,
            wanted=f"a file with the SHA-256 {entry.sha256}",
            got=found,
            next_step="ask whoever made the registry",
        )


def _whole(entry: Entry, part: Path, progress: bool | None) -> None:
    """As many bytes as there should be, going on after a connection that breaks."""
    with counting_bytes(entry.name, entry.size, _size(part), progress) as advance:
        for attempt in range(_TRIES):
            before = _size(part)
            try:
                _more(entry, part, advance)
            except _NETWORK as error:
                got = str(getattr(error, "reason", None) or error or type(error).__name__)
            else:
                got = f"{_size(part)} of {entry.size} bytes"
            if _size(part) == entry.size:
                return
            if _size(part) <= before:
                break
            time.sleep(_PAUSE * attempt)
    raise UnreachableError(
        "the address does not answer" if not _size(part) else "the file did not arrive as a whole",
        site=entry.url,
        got=got,
        next_step="run it again where there is network; what has arrived is kept",
    )


def _more(entry: Entry, part: Path, advance: Callable[[int], None]) -> None:
    """What is missing, as far as one connection gives it."""
    have = _size(part)
    if have >= entry.size:
        return
    with _answer(entry, have) as (answer, begins):
        advance(begins - have)
        with part.open("ab" if begins else "wb") as file:
            size = begins
            while block := answer.read(_BLOCK):
                size += len(block)
                if size > entry.size:
                    break
                file.write(block)
                advance(len(block))
    if size > entry.size:
        part.unlink()
        raise DownloadError(
            "the file at the address is longer than the registry says",
            site=entry.url,
            wanted=f"{entry.size} bytes",
            got="more",
        )


@contextmanager
def _answer(entry: Entry, have: int) -> Iterator[tuple[Any, int]]:
    """The open connection, and the byte at which it begins: ``have``, or 0 where it cannot go on there."""
    headers = {"User-Agent": f"torchbend/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        address = quote(entry.url, safe=string.punctuation)  # spaces and letters beyond ASCII
        answer = _opener().open(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and have:  # the file is shorter there than what had arrived
                with _answer(entry, 0) as anew:
                    yield anew
                return
            if error.code >= 500 or error.code == 429:
                raise urllib.error.URLError(f"{error.code} {error.reason}") from error
            raise DownloadError(
                "the address gives no file", site=entry.url, got=f"{error.code} {error.reason}"
            ) from error
    with answer:
        given = str(answer.headers.get("Content-Range") or "")
        goes_on = getattr(answer, "status", None) == 206 and given.startswith(f"bytes {have}-")
        yield answer, have if goes_on else 0


def _opener() -> urllib.request.OpenerDirector:
    """Opens ``https``, ``http`` and ``file``, and nothing else."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.FileHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _FewRedirects(),
    ):
        opener.add_handler(handler)
    return opener


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
