"""A web server for tests, on this machine: it can break off, lead elsewhere, and change its files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Site:
    """What the server gives.

    Attributes:
        files: bytes by path.
        leads: paths by the path that leads there.
        breaks: after how many bytes of an answer the connection is closed, for each request in turn.
        ranges: whether it can begin in the middle of a file.
        asked: what was asked for: path and range, in turn.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    leads: dict[str, str] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    port: int = 0

    def url(self, path: str) -> str:
        """The whole address."""
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Serve a site while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            site.asked.append((self.path, wanted))
            if self.path in site.leads:
                self.send_response(302)
                self.send_header("Location", site.leads[self.path])
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif self.path not in site.files:
                self.send_error(404)
            else:
                self._give(site.files[self.path], wanted)

        def _give(self, whole: bytes, wanted: str | None) -> None:
            first = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and site.ranges else 0
            if first and first >= len(whole):
                self.send_error(416)
                return
            self.send_response(206 if first else 200)
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(whole) - 1}/{len(whole)}")
            self.send_header("Content-Length", str(len(whole) - first))
            self.end_headers()
            count = site.breaks.pop(0) if site.breaks else len(whole)
            self.wfile.write(whole[first:][:count])
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
