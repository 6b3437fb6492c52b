"""Reads the pages of the built documentation site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADS = {
    "script": "src",
    "img": "src",
    "audio": "src",
    "video": "src",
    "source": "src",
    "track": "src",
    "iframe": "src",
    "embed": "src",
    "object": "data",
    "image": "href",
    "use": "href",
}
_QUIET = {"canonical", "prev", "next", "alternate"}
"""Kinds of ``<link>`` that load nothing."""


@dataclass
class Tag:
    """An element of a page."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)


class Reader(HTMLParser):
    """Collects the elements of a page, and the ids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, {name: value or "" for name, value in attrs}))

    @property
    def ids(self) -> set[str]:
        """The anchors of the page."""
        return {tag.attributes["id"] for tag in self.tags if "id" in tag.attributes}

    def loads(self) -> Iterator[str]:
        """The addresses of all that a browser fetches to show the page."""
        for tag in self.tags:
            if tag.name in _LOADS and _LOADS[tag.name] in tag.attributes:
                yield tag.attributes[_LOADS[tag.name]]
            elif tag.name == "link" and not _QUIET & set(tag.attributes.get("rel", "").split()):
                yield tag.attributes["href"]
            for one in tag.attributes.get("srcset", "").split(","):
                if one.strip():
                    yield one.split()[0]

    def links(self) -> Iterator[str]:
        """Where the page's links lead."""
        yield from (
            tag.attributes["href"] for tag in self.tags if tag.name == "a" and "href" in tag.attributes
        )


def is_elsewhere(address: str) -> bool:
    """Whether an address names another host."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def target(page: Path, address: str) -> Path | None:
    """The file of the site that an address on a page names; None where it stays on the page."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or not parts.path:
        return None
    return (page.parent / unquote(parts.path)).resolve()
