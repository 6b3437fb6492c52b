"""A reader of pickled data that builds nothing but inert records: no class is imported, no function called.

It knows the part of the format (protocol 2) in which TorchScript archives are written. What a pickle names as
a class becomes a `Record` with the name and the values; what it names as a function is kept as a `Call` with
its arguments.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torchbend.errors import CheckpointError

__all__ = ["Call", "Name", "Persistent", "Record", "read_inert"]

LONGEST = 1 << 26
"""Bytes of a pickle; those of exported models have some hundred thousand."""


@dataclass(frozen=True)
class Name:
    """The name of a class or function, which is never looked up."""

    path: str


@dataclass
class Call:
    """A function that the pickle asks for, with its arguments; never called."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(eq=False)
class Record:
    """An object that the pickle describes: the name of its class, and its values."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Persistent:
    """A reference to data outside of the pickle."""

    key: Any


def read_inert(content: bytes, source: str) -> Any:
    """The value that a pickle describes, made of plain values and of the classes above.

    Args:
        content: the pickle.
        source: a name for messages.

    Raises:
        CheckpointError: the pickle is too long, damaged, or uses a part of the format that is not read.
    """
    if len(content) > LONGEST:
        raise CheckpointError(
            "this pickle is too long", site=source, wanted=f"at most {LONGEST} bytes", got=len(content)
        )
    machine = _Machine(content)
    try:
        return machine.run()
    except (IndexError, struct.error, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            "this pickle is damaged, or of a kind that is not read",
            site=source,
            wanted="plain values, records and tensors",
            got=f"{type(error).__name__} at byte {machine.place}: {error}",
        ) from error


class _Machine:
    """The stack machine that pickles are programs for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.place = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        while True:
            code = self.take(1)
            if code == b".":
                return self.stack.pop()
            if code in _FIXED:
                self.stack.append(_FIXED[code]())
            elif code in _STEPS:
                _STEPS[code](self)
            else:
                raise ValueError(f"the instruction {code!r}")

    def take(self, count: int) -> bytes:
        end = self.place + count
        if count < 0 or end > len(self.content):
            raise ValueError("the end of the data")
        part = self.content[self.place : end]
        self.place = end
        return part

    def number(self, form: str) -> int:
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return int(value)

    def line(self) -> str:
        end = self.content.index(b"\n", self.place)
        text = self.content[self.place : end].decode()
        self.place = end + 1
        return text

    def items(self) -> list[Any]:
        """What was put on the stack since the last mark."""
        start = self.marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    # -- instructions ------------------------------------------------------------------------------------

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def protocol(self) -> None:
        if self.number("<B") > 2:
            raise ValueError("a newer protocol than 2")

    def text(self) -> None:
        self.stack.append(self.take(self.number("<I")).decode("utf-8", "surrogatepass"))

    def real(self) -> None:
        self.stack.append(struct.unpack(">d", self.take(8))[0])

    def long(self) -> None:
        self.stack.append(int.from_bytes(self.take(self.number("<B")), "little", signed=True))

    def name(self) -> None:
        module, name = self.line(), self.line()
        self.stack.append(Name(f"{module}.{name}"))

    def remember(self, form: str) -> None:
        self.memo[self.number(form)] = self.stack[-1]

    def recall(self, form: str) -> None:
        self.stack.append(self.memo[self.number(form)])

    def pack(self, count: int | None) -> None:
        if count is None:
            self.stack.append(tuple(self.items()))
        else:
            if len(self.stack) < count:
                raise ValueError("an empty stack")
            self.stack[-count:] = [tuple(self.stack[-count:])]

    def append(self) -> None:
        value = self.stack.pop()
        _list(self.stack[-1]).append(value)

    def extend(self) -> None:
        found = self.items()
        _list(self.stack[-1]).extend(found)

    def set_one(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _dict(self.stack[-1])[key] = value

    def set_many(self) -> None:
        found = self.items()
        _dict(self.stack[-1]).update(zip(found[::2], found[1::2], strict=True))

    def make(self) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, Name) or arguments:
            raise ValueError("an object with arguments")
        self.stack.append(Record(name.path))

    def call(self) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise ValueError("a call of something without a name")
        self.stack.append(Call(name.path, arguments))

    def fill(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, Record):
            raise ValueError("values for something that is no object")
        target.values.update(state if isinstance(state, dict) else {"state": state})

    def persistent(self) -> None:
        self.stack.append(Persistent(self.stack.pop()))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("an item for something that is no list")
    return value


def _dict(value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError("an entry for something that is no dict")
    return value


_FIXED: dict[bytes, Callable[[], Any]] = {
    b"N": lambda: None,
    b"\x88": lambda: True,
    b"\x89": lambda: False,
    b")": tuple,
    b"]": list,
    b"}": dict,
}

_STEPS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _Machine.protocol,
    b"(": _Machine.mark,
    b"c": _Machine.name,
    b"X": _Machine.text,
    b"G": _Machine.real,
    b"\x8a": _Machine.long,
    b"K": lambda m: m.stack.append(m.number("<B")),
    b"M": lambda m: m.stack.append(m.number("<H")),
    b"J": lambda m: m.stack.append(m.number("<i")),
    b"q": lambda m: m.remember("<B"),
    b"r": lambda m: m.remember("<I"),
    b"h": lambda m: m.recall("<B"),
    b"j": lambda m: m.recall("<I"),
    b"t": lambda m: m.pack(None),
    b"\x85": lambda m: m.pack(1),
    b"\x86": lambda m: m.pack(2),
    b"\x87": lambda m: m.pack(3),
    b"a": _Machine.append,
    b"e": _Machine.extend,
    b"s": _Machine.set_one,
    b"u": _Machine.set_many,
    b"\x81": _Machine.make,
    b"R": _Machine.call,
    b"b": _Machine.fill,
    b"Q": _Machine.persistent,
}
