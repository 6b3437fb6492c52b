"""Feeds every method blocks of every size, of one row and of four, and looks at what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from torchbend.export.check.blocks import FAILURES, Method, block, play, reason, wrong_output
from torchbend.export.check.findings import Finding, failure
from torchbend.export.check.session import Session

__all__ = ["feed"]

ROWS = (1, 4)
"""``nn~`` plays one row, ``mc.nn~`` several."""

BLOCKS = 2
"""Of each size: the state of the first one reaches the second."""


@dataclass
class _Seen:
    """A finding, and the blocks at which it came up."""

    finding: Finding
    sizes: dict[int, None] = field(default_factory=dict)
    rows: dict[int, None] = field(default_factory=dict)


def feed(session: Session) -> None:
    """Calls all methods; each kind of failure is told once for a method, with the blocks that show it."""
    seen: dict[tuple[str, str], _Seen] = {}
    most = session.facts.max_batch
    for batch in dict.fromkeys(min(rows, most or rows) for rows in ROWS):
        module = session.load()
        for method in session.methods:
            for samples in session.sizes:
                session.step(f"{method.name}(), blocks of {samples} samples, {batch} row(s)")
                found = _feed(session, module, method, samples, batch)
                if found is not None:
                    kept = seen.setdefault((method.name, found.message), _Seen(found))
                    kept.sizes[samples] = kept.rows[batch] = None
                    module = session.load()
    for each in seen.values():
        session.tell(_with_blocks(each, len(session.sizes)))


def _feed(session: Session, module: Any, method: Method, samples: int, batch: int) -> Finding | None:
    for _ in range(BLOCKS):
        x = block(method, samples, batch)
        try:
            out = play(module, method, x)
        except FAILURES as error:
            return _raised(session, method, samples, batch, error)
        found = wrong_output(method, samples, batch, out)
        if found is not None:
            return found
    return None


def _raised(session: Session, method: Method, samples: int, batch: int, error: BaseException) -> Finding:
    """The failure, and what it depends on: how a block lies in memory, or what was played before."""
    where, got = f"{method.name}()", reason(error)
    if _goes(session, method, samples, batch, contiguous=False):
        wanted = "any order of blocks and methods"
        return failure("blocks", where, "it fails after other blocks, or other methods, had run", wanted, got)
    if _goes(session, method, samples, batch, contiguous=True):
        message = "it fails with blocks that are not contiguous, as those of the host are"
        return failure("blocks", where, message, "any strides", got, "use reshape instead of view")
    message = "it fails: the host prints this at each block and repeats the last one"
    return failure("blocks", where, message, f"batches up to {max(ROWS)}" if batch > 1 else "", got)


def _goes(session: Session, method: Method, samples: int, batch: int, contiguous: bool) -> bool:
    """Whether a fresh copy of the file plays such blocks."""
    module = session.load()
    try:
        for _ in range(BLOCKS):
            x = block(method, samples, batch)
            play(module, method, x.contiguous() if contiguous else x)
    except FAILURES:
        return False
    return True


def _with_blocks(seen: _Seen, count: int) -> Finding:
    sizes = "all sizes" if len(seen.sizes) == count else f"sizes {', '.join(map(str, seen.sizes))}"
    rows = ", ".join(map(str, seen.rows))
    got = f"{seen.finding.got}; " if seen.finding.got else ""
    return replace(seen.finding, got=f"{got}blocks of {sizes}, with {rows} row(s)")
