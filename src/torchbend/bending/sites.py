"""Patterns: which weights, buffers and activations a regular expression selects."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from torchbend.bending.places import Places
from torchbend.capture import Capture
from torchbend.errors import NotTracedError, SiteNotFoundError

__all__ = ["Sites", "select_sites", "matching", "closest"]


@dataclass
class Sites:
    """What patterns selected.

    Attributes:
        weights: names of weights and buffers.
        activations: ``(method, name)`` of activations.
    """

    weights: list[str] = field(default_factory=list)
    activations: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.weights) + len(self.activations)


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """The names that ``pattern`` matches from their start (``re.match``).

    Raises:
        SiteNotFoundError: the pattern is not a regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SiteNotFoundError(
            f"{pattern!r} is not a regular expression: {error}",
            wanted="a regular expression such as 'decoder.*weight$'",
            got=pattern,
            next_step="escape special characters with a backslash",
        ) from None
    # a part's name as it is printed, lstm[0], is no regular expression for itself
    exact = pattern.removesuffix("$")
    return [name for name in names if compiled.match(name) or ("[" in exact and name == exact)]


def split_method(pattern: str) -> tuple[str | None, str]:
    """``"encode:add_4$"`` as ``("encode", "add_4$")``; a pattern without a method as ``(None, pattern)``."""
    head, colon, rest = pattern.partition(":")
    return (head, rest) if colon and head.isidentifier() else (None, pattern)


def select_sites(
    places: Places,
    captures: Mapping[str, Capture],
    patterns: Sequence[str],
    fn: str | None = None,
    weights: bool = True,
    activations: bool = True,
    buffers: bool = False,
) -> Sites:
    """Everything that ``patterns`` select, each site once.

    A name that is a weight means the weight: an activation that only reads one stands for it. Where a
    pattern matches a weight that is computed from parts as well as these parts, it selects the parts.

    Args:
        fn: only activations of this method.
        weights, activations, buffers: which kinds to look for.

    Raises:
        SiteNotFoundError: a pattern matches nothing.
        NotTracedError: a pattern names a method that was not traced.
    """
    found = Sites()
    for pattern in patterns:
        method, rest = split_method(pattern)
        method = method or fn
        if method is not None and method not in captures and (activations or split_method(pattern)[0]):
            raise not_traced(method, captures)
        before = len(found)
        hits = 0
        if weights and split_method(pattern)[0] is None:
            hits += _add(found.weights, _weights(places, rest))
        if buffers and split_method(pattern)[0] is None:
            hits += _add(found.weights, matching(places.buffers, rest))
        if activations:
            for name in [method] if method is not None else list(captures):
                hits += _activations(found, places, captures[name], rest, buffers)
        if not hits and len(found) == before:
            raise not_found(pattern, places, captures, method)
    return found


def _add(found: list[str], names: list[str]) -> int:
    found.extend(n for n in names if n not in found)
    return len(names)


def _weights(places: Places, pattern: str) -> list[str]:
    names = matching(places.weights, pattern)
    chosen = set(names)
    return [n for n in names if not chosen.intersection(places.weights[n].parts)]


def _activations(found: Sites, places: Places, capture: Capture, pattern: str, buffers: bool) -> int:
    names = matching(capture.activations, pattern)
    for name in names:
        weight = capture.activations[name].weight
        if weight is not None:
            meant = weight in places.weights or buffers or pattern.rstrip("$") == name
            if meant and weight in places and not _holds(found.weights, places, weight):
                found.weights.append(weight)
        elif (capture.method, name) not in found.activations:
            found.activations.append((capture.method, name))
    return len(names)


def _holds(names: list[str], places: Places, weight: str) -> bool:
    return any(places[n] is places[weight] for n in names)


def closest(name: str, names: Iterable[str], count: int = 4) -> list[str]:
    """The names that look most like ``name``."""
    names = list(dict.fromkeys(names))
    plain = re.sub(r"[\\^$.*+?()\[\]|]+", ".", name).strip(".")
    inside = [n for n in names if plain and plain in n]
    alike = difflib.get_close_matches(plain, names, n=count, cutoff=0.3)
    return list(dict.fromkeys([*inside[:count], *alike]))[:count]


def not_found(
    pattern: str, places: Places, captures: Mapping[str, Capture], method: str | None = None
) -> SiteNotFoundError:
    """The error for a pattern without a match."""
    _, rest = split_method(pattern)
    if matching(places.buffers, rest) and method is None:
        step = f"it matches buffers ({', '.join(matching(places.buffers, rest)[:3])}): pass buffers=True"
    elif not captures:
        step = "print_weights() lists the weights; activations exist after trace(...)"
    else:
        step = "print_weights() and print_activations() list every name; patterns match from the start"
    names = [*places.weights, *places.buffers]
    for name, capture in captures.items():
        if method is None or name == method:
            names.extend(capture.activations)
    like = closest(rest, names)
    return SiteNotFoundError(
        f"the pattern {pattern!r} matches no site",
        site=pattern,
        wanted=f"closest names: {', '.join(like)}" if like else None,
        next_step=step,
    )


def not_traced(method: str, captures: Mapping[str, Capture]) -> NotTracedError:
    """The error for a method that was not traced."""
    known = ", ".join(captures) or "no method so far"
    step = f"call trace({method!r}, ...) with an example input first"
    if captures and not method.isidentifier():
        step = f"to choose activations by a pattern, write flt={method!r}"
    return NotTracedError(
        f"the method {method!r} has not been traced",
        site=method,
        wanted=f"a traced method ({known})",
        next_step=step,
    )
