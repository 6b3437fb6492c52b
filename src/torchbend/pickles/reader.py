"""Pickles read without running them.

A pickle is a program: it names functions and has them called. This reader walks through its steps and builds
what data there is: numbers, texts, lists, dicts. Where the program would call something, a `Record` says what
was named and with what; nothing is imported and nothing is called.

What is built may be nested without end, share parts or hold itself: who walks through it has to count.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any

from torchbend.errors import WeightsFileError
from torchbend.pickles.program import MARK, Program

__all__ = ["read_pickle"]

_Step = Callable[[Program, Any], object]


def _each(names: str, step: _Step) -> dict[str, _Step]:
    return dict.fromkeys(names.split(), step)


_STEPS: dict[str, _Step] = {
    **_each("PROTO", Program.protocol),
    **_each("FRAME", lambda program, _: None),
    **_each("INT BININT BININT1 BININT2 LONG LONG1 LONG4", Program.number),
    **_each("FLOAT BINFLOAT", Program.value),
    **_each("STRING BINSTRING SHORT_BINSTRING", Program.value),
    **_each("BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8", Program.value),
    **_each("UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8", Program.value),
    **_each("NONE", lambda program, _: program.value(None)),
    **_each("NEWTRUE", lambda program, _: program.value(True)),
    **_each("NEWFALSE", lambda program, _: program.value(False)),
    **_each("EMPTY_LIST", lambda program, _: program.value([])),
    **_each("EMPTY_TUPLE", lambda program, _: program.value(())),
    **_each("EMPTY_DICT", lambda program, _: program.value({})),
    **_each("EMPTY_SET", lambda program, _: program.value(set())),
    **_each("PUT BINPUT LONG_BINPUT", Program.remember),
    **_each("GET BINGET LONG_BINGET", Program.recall),
    **_each("MEMOIZE", Program.memoize),
    **_each("DUP", Program.dup),
    **_each("MARK", lambda program, _: program.value(MARK)),
    **_each("POP", lambda program, _: program.stack.pop()),
    **_each("POP_MARK", lambda program, _: program.marked()),
    **_each("LIST", Program.make_list),
    **_each("TUPLE", Program.make_tuple),
    **_each("TUPLE1", lambda program, _: program.several(1)),
    **_each("TUPLE2", lambda program, _: program.several(2)),
    **_each("TUPLE3", lambda program, _: program.several(3)),
    **_each("DICT", Program.make_dict),
    **_each("FROZENSET", Program.make_frozenset),
    **_each("APPEND", Program.append),
    **_each("APPENDS", Program.appends),
    **_each("SETITEM", Program.set_item),
    **_each("SETITEMS", Program.set_items),
    **_each("ADDITEMS", Program.add_items),
    **_each("GLOBAL", Program.name),
    **_each("STACK_GLOBAL", Program.name_of_stack),
    **_each("REDUCE NEWOBJ", Program.call),
    **_each("NEWOBJ_EX", Program.make_with_names),
    **_each("OBJ", Program.make_of_marked),
    **_each("INST", Program.make_named),
    **_each("BUILD", Program.fill),
    **_each("PERSID", Program.outside),
    **_each("BINPERSID", Program.outside_of_stack),
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
"""What damaged pickles make the steps raise."""


def read_pickle(stream: IO[bytes]) -> Any:
    """The data of a pickle of any protocol; the stream is afterwards behind it.

    Args:
        stream: open at the pickle's first byte.

    Returns:
        Plain values, and `Record`, `Named` and `Persistent` for all else.

    Raises:
        WeightsFileError: it is damaged, or no pickle, or has a step that is unknown here.
    """
    program = Program()
    place = 0
    try:
        for step, arg, at in pickletools.genops(stream):
            place = at or 0
            if step.name == "STOP":
                return program.pop()
            take = _STEPS.get(step.name)
            if take is None:
                raise ValueError(f"the step {step.name} is not known")
            take(program, arg)
    except _BROKEN as error:
        raise WeightsFileError(
            "the pickle is damaged, or of a kind that is unknown here",
            wanted="plain values, records and tensors",
            got=f"{type(error).__name__} near byte {place}: {str(error)[:150]}",
        ) from error
    raise WeightsFileError("the pickle has no end", got="a file that was cut off")
