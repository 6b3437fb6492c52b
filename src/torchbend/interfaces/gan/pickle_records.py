"""Pickles read without running them.

A pickle is a program: it names functions and has them called. This reader walks through its steps and builds
what data there is: numbers, texts, lists, dicts. Where the program would call something, a `Record` says what
was named and with what; nothing is imported and nothing is called.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from torchbend.errors import WeightsFileError

__all__ = ["Named", "Persistent", "Record", "as_mapping", "read_pickle"]


@dataclass(frozen=True)
class Named:
    """A class or function that a pickle names, as ``module.name``."""

    name: str


@dataclass(frozen=True)
class Persistent:
    """Something that lies outside of the pickle, under this mark."""

    mark: Any


@dataclass(eq=False)
class Record:
    """An object that the program of a pickle would make, not made.

    Attributes:
        name: of what would be called.
        args: what it would be called with.
        items: what would be set in it by key.
        values: what would be appended to it.
        state: what its attributes would be set from.
    """

    name: str
    args: tuple[Any, ...] = ()
    items: dict[Any, Any] = field(default_factory=dict)
    values: list[Any] = field(default_factory=list)
    state: Any = None


_DICTS = ("collections.OrderedDict", "dnnlib.util.EasyDict")


def as_mapping(value: Any) -> Mapping[Any, Any] | None:
    """The items of a dict, or of a record of one; None for anything else."""
    if isinstance(value, dict):
        return value
    return value.items if isinstance(value, Record) and value.name in _DICTS else None


_MARK = object()

_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_BYTES = ("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
_TEXTS = ("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
_VALUES = frozenset((*_NUMBERS, *_BYTES, *_TEXTS))
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_BROKEN = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    EOFError,
    RecursionError,
)


def read_pickle(stream: IO[bytes]) -> Any:
    """The data of a pickle; the stream is afterwards behind it.

    Args:
        stream: open at the pickle's first byte.

    Raises:
        WeightsFileError: it is damaged, or no pickle, or has a step that is unknown here.
    """
    reader = _Reader()
    try:
        for step, arg, _ in pickletools.genops(stream):
            if step.name == "STOP":
                return reader.pop()
            reader.take(step.name, arg)
    except _BROKEN as error:
        raise WeightsFileError(
            "the pickle is damaged, or of a kind that is unknown here",
            got=f"{type(error).__name__}: {str(error)[:150]}",
        ) from error
    raise WeightsFileError("the pickle has no end", got="a file that was cut off")


class _Reader:
    """The stack and the memory of a pickle's program."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memory: dict[int, Any] = {}

    def pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark instead of a value")
        return value

    def take(self, name: str, arg: Any) -> None:
        """One step."""
        if name in _VALUES:
            self._stack.append(arg)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self._stack.append(_EMPTY[name]())
        elif name in ("PROTO", "FRAME"):
            pass
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memory[int(arg)] = self._stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memory[int(arg)])
        else:
            step = getattr(self, f"_{name.lower()}", None)
            if step is None:
                raise ValueError(f"the step {name} is not known")
            step(arg)

    # -- the stack -------------------------------------------------------------------------------------------

    def _mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def _marked(self) -> list[Any]:
        """What lies above the last mark, which goes too."""
        at = len(self._stack) - 1
        while self._stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        values = self._stack[at + 1 :]
        del self._stack[at:]
        return values

    def _pop(self, _: Any) -> None:
        self._stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._marked()

    def _dup(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def _memoize(self, _: Any) -> None:
        self._memory[len(self._memory)] = self._stack[-1]

    # -- lists, tuples, dicts, sets --------------------------------------------------------------------------

    def _list(self, _: Any) -> None:
        self._stack.append(self._marked())

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._marked()))

    def _tuple1(self, _: Any) -> None:
        self._several(1)

    def _tuple2(self, _: Any) -> None:
        self._several(2)

    def _tuple3(self, _: Any) -> None:
        self._several(3)

    def _several(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self._stack.append(tuple(reversed(values)))

    def _dict(self, _: Any) -> None:
        self._stack.append(_pairs(self._marked()))

    def _frozenset(self, _: Any) -> None:
        self._stack.append(frozenset(self._marked()))

    def _append(self, _: Any) -> None:
        self._extend([self.pop()])

    def _appends(self, _: Any) -> None:
        self._extend(self._marked())

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        held = target.values if isinstance(target, Record) else target
        if not isinstance(held, list):
            raise TypeError("values for something that is no list")
        held.extend(values)

    def _setitem(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self._put({key: value})

    def _setitems(self, _: Any) -> None:
        self._put(_pairs(self._marked()))

    def _put(self, items: dict[Any, Any]) -> None:
        target = self._stack[-1]
        held = target.items if isinstance(target, Record) else target
        if not isinstance(held, dict):
            raise TypeError("items for something that is no dict")
        held.update(items)

    def _additems(self, _: Any) -> None:
        values = self._marked()
        target = self._stack[-1]
        if isinstance(target, Record):
            target.values.extend(values)
        elif isinstance(target, set):
            target.update(values)
        else:
            raise TypeError("values for something that is no set")

    # -- what a program would call ---------------------------------------------------------------------------

    def _global(self, arg: Any) -> None:
        self._stack.append(Named(".".join(str(arg).split(" ", 1))))

    def _stack_global(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a name that is no text")
        self._stack.append(Named(f"{module}.{name}"))

    def _reduce(self, _: Any) -> None:
        args, what = self.pop(), self.pop()
        self._record(what, args)

    def _newobj(self, _: Any) -> None:
        self._reduce(None)

    def _newobj_ex(self, _: Any) -> None:
        named, args, what = self.pop(), self.pop(), self.pop()
        self._record(what, args)
        self._stack[-1].items.update(named)

    def _obj(self, _: Any) -> None:
        what, *args = self._marked()
        self._record(what, tuple(args))

    def _inst(self, arg: Any) -> None:
        self._record(Named(".".join(str(arg).split(" ", 1))), tuple(self._marked()))

    def _record(self, what: Any, args: Any) -> None:
        if not isinstance(what, Named) or not isinstance(args, tuple):
            raise TypeError("a call of something that has no name")
        self._stack.append(Record(what.name, args))

    def _build(self, _: Any) -> None:
        state, target = self.pop(), self._stack[-1]
        if not isinstance(target, Record):
            raise TypeError("a state for something that is no object")
        target.state = state

    def _persid(self, arg: Any) -> None:
        self._stack.append(Persistent(arg))

    def _binpersid(self, _: Any) -> None:
        self._stack.append(Persistent(self.pop()))


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))
