"""The stack and the memory that a pickle's steps work on."""

from __future__ import annotations

from typing import Any

from torchbend.pickles.records import Named, Persistent, Record

__all__ = ["MARK", "Program"]

MARK = object()
"""What lies on the stack where a list of values begins."""

_NEWEST = 5
_MOST_BITS = 2040
"""Of a whole number; Python takes long for larger ones, and does not write them out."""


class Program:
    """The stack and the memory of a pickle's program; each method is a step."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}

    def pop(self) -> Any:
        """The value on top, which goes."""
        value = self.stack.pop()
        if value is MARK:
            raise ValueError("a mark instead of a value")
        return value

    def top(self) -> Any:
        """The value on top, which stays."""
        value = self.stack[-1]
        if value is MARK:
            raise ValueError("a mark instead of a value")
        return value

    def marked(self) -> list[Any]:
        """What lies above the last mark, which goes too."""
        at = len(self.stack) - 1
        while self.stack[at] is not MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    # -- values ----------------------------------------------------------------------------------------------

    def protocol(self, number: int) -> None:
        """PROTO: refuse protocols that there are not."""
        if number > _NEWEST:
            raise ValueError(f"protocol {number}, and {_NEWEST} is the newest")

    def number(self, value: int) -> None:
        """INT, BININT, LONG, ...: a whole number."""
        if value.bit_length() > _MOST_BITS:
            raise ValueError(f"a number of {value.bit_length()} bits")
        self.stack.append(value)

    def value(self, value: Any) -> None:
        """A value that is there as it is."""
        self.stack.append(value)

    def remember(self, place: Any) -> None:
        """PUT: the value on top under a number."""
        self.memory[int(place)] = self.top()

    def memoize(self, _: Any) -> None:
        """MEMOIZE: the value on top under the next number."""
        self.memory[len(self.memory)] = self.top()

    def recall(self, place: Any) -> None:
        """GET: what was remembered under a number."""
        self.stack.append(self.memory[int(place)])

    def dup(self, _: Any) -> None:
        """DUP: the value on top once more."""
        self.stack.append(self.top())

    # -- lists, tuples, dicts, sets --------------------------------------------------------------------------

    def make_list(self, _: Any) -> None:
        """LIST: of what is marked."""
        self.stack.append(self.marked())

    def make_tuple(self, _: Any) -> None:
        """TUPLE: of what is marked."""
        self.stack.append(tuple(self.marked()))

    def several(self, count: int) -> None:
        """TUPLE1, TUPLE2, TUPLE3: of so many values."""
        values = [self.pop() for _ in range(count)]
        self.stack.append(tuple(reversed(values)))

    def make_dict(self, _: Any) -> None:
        """DICT: of marked keys and values."""
        self.stack.append(_pairs(self.marked()))

    def make_frozenset(self, _: Any) -> None:
        """FROZENSET: of what is marked."""
        self.stack.append(frozenset(map(_key, self.marked())))

    def append(self, _: Any) -> None:
        """APPEND: a value to a list."""
        self._extend([self.pop()])

    def appends(self, _: Any) -> None:
        """APPENDS: what is marked to a list."""
        self._extend(self.marked())

    def _extend(self, values: list[Any]) -> None:
        target = self.top()
        held = target.values if isinstance(target, Record) else target
        if not isinstance(held, list):
            raise TypeError("values for something that is no list")
        held.extend(values)

    def set_item(self, _: Any) -> None:
        """SETITEM: a key with its value into a dict."""
        value, key = self.pop(), self.pop()
        self._put({_key(key): value})

    def set_items(self, _: Any) -> None:
        """SETITEMS: marked keys and values into a dict."""
        self._put(_pairs(self.marked()))

    def _put(self, items: dict[Any, Any]) -> None:
        target = self.top()
        held = target.items if isinstance(target, Record) else target
        if not isinstance(held, dict):
            raise TypeError("items for something that is no dict")
        held.update(items)

    def add_items(self, _: Any) -> None:
        """ADDITEMS: what is marked into a set."""
        values = self.marked()
        target = self.top()
        if isinstance(target, Record):
            target.values.extend(values)
        elif isinstance(target, set):
            target.update(map(_key, values))
        else:
            raise TypeError("values for something that is no set")

    # -- what a program would call ---------------------------------------------------------------------------

    def name(self, arg: str) -> None:
        """GLOBAL: a class or function by name."""
        self.stack.append(_named(arg))

    def name_of_stack(self, _: Any) -> None:
        """STACK_GLOBAL: by two texts from the stack."""
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a name that is no text")
        self.stack.append(Named(f"{module}.{name}"))

    def call(self, _: Any) -> None:
        """REDUCE, NEWOBJ: what a call would make."""
        args, what = self.pop(), self.pop()
        self._record(what, args)

    def make_with_names(self, _: Any) -> None:
        """NEWOBJ_EX: the same, with arguments by name."""
        named, args, what = self.pop(), self.pop(), self.pop()
        if not isinstance(named, dict):
            raise TypeError("arguments by name that are no dict")
        self._record(what, args)
        self._put(named)

    def make_of_marked(self, _: Any) -> None:
        """OBJ: a marked class with its arguments."""
        what, *args = self.marked()
        self._record(what, tuple(args))

    def make_named(self, arg: str) -> None:
        """INST: a class by name with marked arguments."""
        self._record(_named(arg), tuple(self.marked()))

    def _record(self, what: Any, args: Any) -> None:
        if not isinstance(what, Named) or not isinstance(args, tuple):
            raise TypeError("a call of something that has no name")
        self.stack.append(Record(what.name, args))

    def fill(self, _: Any) -> None:
        """BUILD: the state of an object."""
        state, target = self.pop(), self.top()
        if not isinstance(target, Record):
            raise TypeError("a state for something that is no object")
        target.state = state

    def outside(self, mark: str) -> None:
        """PERSID: what lies outside, under a text."""
        self.stack.append(Persistent(mark))

    def outside_of_stack(self, _: Any) -> None:
        """BINPERSID: what lies outside, under a value."""
        self.stack.append(Persistent(self.pop()))


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(map(_key, values[::2]), values[1::2], strict=True))


def _key(value: Any) -> Any:
    """A key, if it is plain: to look for a place for tuples in tuples takes Python down, or without end."""
    parts = value if isinstance(value, tuple) else (value,)
    if not all(part is None or isinstance(part, str | bytes | int | float | Named) for part in parts):
        raise TypeError("a key that is no plain value")
    return value


def _named(arg: str) -> Named:
    return Named(".".join(arg.split(" ", 1)))
