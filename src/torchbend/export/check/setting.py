"""Sets every attribute as nn~ does: to the ends of its range and back, and to what lies outside."""

from __future__ import annotations

import math
from typing import Any

from torchbend.export.check.blocks import FAILURES, block, play, reason, wrong_output
from torchbend.export.check.findings import Finding, failure, warning
from torchbend.export.check.protocol import Attribute
from torchbend.export.check.session import Session

__all__ = ["set_attributes"]

TOLERANCE = 1e-5
"""Of a number that comes back: the host sends six decimals."""

FAR = 1e4
"""How far outside of its range a number is tried, beside the range's own width."""


def set_attributes(session: Session) -> None:
    """Sets and reads each attribute between blocks, outside of inference mode, as the host does."""
    for attribute in session.attributes:
        session.step(f"attribute {attribute.name}")
        module = session.load()
        _play_all(session, module)  # what a method re-assigned may not be changed in place by a setter
        start = _read(session, module, attribute)
        if start is None:
            continue
        if not set(attribute.kinds) <= {"bool", "int", "float", "str"}:
            kinds = ", ".join(attribute.kinds)
            session.tell(
                warning("attributes", attribute.name, "an attribute of this kind is not tried", got=kinds)
            )
            continue
        if all(_goes(session, module, attribute, values) for values in _inside(session, attribute, start)):
            _outside(session, module, attribute, start)


def _inside(session: Session, attribute: Attribute, start: list[Any]) -> list[list[Any]]:
    """The values that have to be taken: both ends, and the first ones again."""
    low, high = session.facts.ranges.get(attribute.name, (None, None))
    tried = []
    for end in (low, high):
        tried.append([_value(kind, end, old) for kind, old in zip(attribute.kinds, start, strict=True)])
    if "bool" in attribute.kinds:
        for flag in (True, False):
            tried.append(
                [flag if k == "bool" else old for k, old in zip(attribute.kinds, start, strict=True)]
            )
    return [*tried, list(start)]


def _value(kind: str, end: float | None, old: Any) -> Any:
    if end is None or kind not in {"int", "float"}:
        return old
    return int(end) if kind == "int" else float(end)


def _goes(session: Session, module: Any, attribute: Attribute, values: list[Any]) -> bool:
    """Sets the attribute, reads it, plays; tells what is wrong, and returns whether nothing was."""
    call = f"set_{attribute.name}({', '.join(map(repr, values))})"
    try:
        answer = getattr(module, f"set_{attribute.name}")(*values)
    except FAILURES as error:
        session.tell(failure("attributes", call, "a setter fails", "0", reason(error), _advice(error)))
        return False
    if answer != 0 or isinstance(answer, bool):
        session.tell(
            failure("attributes", call, "a setter does not take a value of its range", "0", repr(answer))
        )
        return False
    now = _read(session, module, attribute)
    if now is None:
        return False
    if not all(_same(a, b) for a, b in zip(now, values, strict=True)):
        session.tell(failure("attributes", call, "a getter tells another value than was set", values, now))
        return False
    return _still_plays(session, module, call)


def _outside(session: Session, module: Any, attribute: Attribute, start: list[Any]) -> None:
    """Values out of the range, and NaN: refused, or brought inside, and nothing is harmed."""
    low, high = session.facts.ranges.get(attribute.name, (None, None))
    width = abs((high or 0) - (low or 0)) + FAR
    numbers = [end + sign * width for end, sign in ((low, -1), (high, 1)) if end is not None]
    trials = [[_value(k, n, s) for k, s in zip(attribute.kinds, start, strict=True)] for n in numbers]
    if "float" in attribute.kinds:
        trials.append([math.nan if k == "float" else s for k, s in zip(attribute.kinds, start, strict=True)])
    for values in trials:
        call = f"set_{attribute.name}({', '.join(map(repr, values))})"
        try:
            refused = getattr(module, f"set_{attribute.name}")(*values) != 0
        except FAILURES:
            refused = True
        now = _read(session, module, attribute)
        if now is None:
            return
        found = _harm(call, refused, now, start, (low, high))
        if found is not None:
            session.tell(found)
            return
        if not _still_plays(session, module, call):
            return
        if not refused:
            getattr(module, f"set_{attribute.name}")(*start)


def _harm(
    call: str, refused: bool, now: list[Any], start: list[Any], ends: tuple[float | None, float | None]
) -> Finding | None:
    numbers = [n for n in now if isinstance(n, int | float) and not isinstance(n, bool)]
    low = -math.inf if ends[0] is None else ends[0]
    high = math.inf if ends[1] is None else ends[1]
    if refused and not all(_same(a, b) for a, b in zip(now, start, strict=True)):
        return failure("attributes", call, "a value was refused, and another one is held now", start, now)
    if not all(low - TOLERANCE <= n <= high + TOLERANCE for n in numbers):  # False for NaN
        wanted = f"a value in ({ends[0]}, {ends[1]}), or a refusal"
        return failure("attributes", call, "a setter takes a value out of its range", wanted, now)
    return None


def _still_plays(session: Session, module: Any, call: str) -> bool:
    found = _play_all(session, module)
    if found is not None:
        wanted = f"after {call}: {found.wanted}" if found.wanted else f"blocks after {call}"
        session.tell(failure("attributes", found.where, found.message, wanted, found.got, found.next_step))
    return found is None


def _play_all(session: Session, module: Any) -> Finding | None:
    """One block of each method; the first thing that is wrong."""
    samples = session.sizes[0]
    for method in session.methods:
        try:
            out = play(module, method, block(method, samples))
        except FAILURES as error:
            return failure("blocks", f"{method.name}()", "it fails", got=reason(error))
        found = wrong_output(method, samples, 1, out)
        if found is not None:
            return found
    return None


def _read(session: Session, module: Any, attribute: Attribute) -> list[Any] | None:
    """What the getter returns, as a list; None where that is told to be wrong."""
    call, count = f"get_{attribute.name}()", len(attribute.kinds)
    try:
        value = getattr(module, f"get_{attribute.name}")()
    except FAILURES as error:
        session.tell(
            failure("attributes", call, "a getter fails", got=reason(error), next_step=_advice(error))
        )
        return None
    if not isinstance(value, tuple | list):
        wanted, got = "a tuple or a list", type(value).__name__
        step = f"return ({attribute.name},)"
        session.tell(failure("attributes", call, "a getter returns a bare value", wanted, got, step))
        return None
    if len(value) != count:
        wanted = f"{count}, as {attribute.name}_params tells"
        session.tell(
            failure("attributes", call, "a getter returns another number of values", wanted, len(value))
        )
        return None
    return list(value)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(a == b)


def _advice(error: BaseException) -> str:
    if "inference" in str(error).lower():
        return (
            "setters run outside of inference mode: let no method re-assign this tensor, use copy_ there too"
        )
    return ""
