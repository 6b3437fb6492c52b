"""Where in the model's source we are, and what the instruction there says.

``a, b = x.shape`` and ``x.shape[0]`` read parts of a result in ways that no tensor call shows. Like
torch.fx, which peeks at the unpacking instruction, we look one instruction ahead, so that the reads become
``getitem`` nodes at the place where the program makes them. The instruction itself tells ``a * b`` from
``a.mul(b)``: with a function mode on, both arrive as ``mul``.
"""

from __future__ import annotations

import dis
import operator
import os
import sys
from collections.abc import Callable
from functools import cache
from types import CodeType, FrameType
from typing import Any

import torch

__all__ = ["model_frame", "source_line", "Lookahead"]

_TORCH = os.path.dirname(torch.__file__) + os.sep
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OWN = tuple(os.path.join(_PACKAGE, part) + os.sep for part in ("capture", "bending", "module"))
_OUTSIDE = (_TORCH, *_OWN, "<frozen", "<eval_with_key>")

# The argument of BINARY_OP (Python 3.11 and later), in its order; the in-place ones follow.
_NUMBERED = [
    "add", "and_", "floordiv", "lshift", "matmul", "mul", "mod", "or_", "pow", "rshift", "sub", "truediv",
    "xor",
    "iadd", "iand", "ifloordiv", "ilshift", "imatmul", "imul", "imod", "ior", "ipow", "irshift", "isub",
    "itruediv", "ixor",
]  # fmt: skip
# One instruction each (Python 3.10).
_NAMED = {
    "BINARY_ADD": "add", "BINARY_AND": "and_", "BINARY_FLOOR_DIVIDE": "floordiv", "BINARY_LSHIFT": "lshift",
    "BINARY_MATRIX_MULTIPLY": "matmul", "BINARY_MULTIPLY": "mul", "BINARY_MODULO": "mod", "BINARY_OR": "or_",
    "BINARY_POWER": "pow", "BINARY_RSHIFT": "rshift", "BINARY_SUBTRACT": "sub",
    "BINARY_TRUE_DIVIDE": "truediv",
    "BINARY_XOR": "xor", "INPLACE_ADD": "iadd", "INPLACE_AND": "iand", "INPLACE_FLOOR_DIVIDE": "ifloordiv",
    "INPLACE_LSHIFT": "ilshift", "INPLACE_MATRIX_MULTIPLY": "imatmul", "INPLACE_MULTIPLY": "imul",
    "INPLACE_MODULO": "imod", "INPLACE_OR": "ior", "INPLACE_POWER": "ipow", "INPLACE_RSHIFT": "irshift",
    "INPLACE_SUBTRACT": "isub", "INPLACE_TRUE_DIVIDE": "itruediv", "INPLACE_XOR": "ixor",
    "UNARY_NEGATIVE": "neg", "UNARY_INVERT": "invert", "UNARY_POSITIVE": "pos",
}  # fmt: skip
_BY_CODE: dict[int, Callable[..., Any]] = {
    dis.opmap[name]: getattr(operator, op) for name, op in _NAMED.items() if name in dis.opmap
}
_BINARY_OP = dis.opmap.get("BINARY_OP")
_COMPARE = dis.opmap["COMPARE_OP"]
_COMPARED = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
_CACHE = dis.opmap.get("CACHE", 0)
_SUBSCRIPT = dis.opmap.get("BINARY_SUBSCR")
_NB_SUBSCRIPT = 26  # the argument of BINARY_OP for x[i], from Python 3.14 on
_WITH_METHOD_BIT = sys.version_info >= (3, 12)  # LOAD_ATTR's lowest bit then says "to be called"


def model_frame() -> FrameType | None:
    """The innermost Python frame that belongs neither to torch nor to the capture."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OUTSIDE):
        frame = frame.f_back
    return frame


def source_line(frame: FrameType | None) -> str:
    """``"models/model.py:12"``, with the folder that holds the file; ``"In [3]:12"`` of a notebook's cell."""
    if frame is None:
        return ""
    return f"{_short(frame.f_code.co_filename)}:{frame.f_lineno}"


@cache
def _short(path: str) -> str:
    folder, name = os.path.split(path)
    folder = os.path.basename(folder)
    return _cell(path) if folder.startswith("ipykernel_") else os.path.join(folder, name)


def _cell(path: str) -> str:
    """The cell of a notebook by its number, which stands beside it; its file has a name that nobody knows."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    number = getattr(getattr(shell, "compile", None), "_filename_map", {}).get(path)
    return "cell" if number is None else f"In [{number}]"


class Lookahead:
    """Reads the instruction at which a frame stands, and the ones after it."""

    def __init__(self) -> None:
        self._bytes: dict[CodeType, bytes] = {}

    def _code(self, frame: FrameType) -> bytes:
        code = self._bytes.get(frame.f_code)
        if code is None:
            code = self._bytes[frame.f_code] = frame.f_code.co_code
        return code

    def operator(self, frame: FrameType | None, key: str) -> Callable[..., Any] | None:
        """The operator that is written where ``frame`` stands; ``None`` for a call.

        Args:
            frame: the caller of the operation ``key``.
            key: the operation that torch makes of it.
        """
        if frame is None or frame.f_lasti < 0:
            return None
        code = self._code(frame)
        instruction, argument = code[frame.f_lasti], code[frame.f_lasti + 1]
        if instruction == _BINARY_OP:
            return getattr(operator, _NUMBERED[argument]) if argument < len(_NUMBERED) else None
        if instruction == _COMPARE:
            return _COMPARED.get(key.strip("_"))
        return _BY_CODE.get(instruction)

    def parts(self, frame: FrameType | None) -> list[int | str]:
        """Which parts of the result the next instruction reads: indices, or one attribute's name."""
        if frame is None or frame.f_lasti < 0:
            return []
        code = self._code(frame)
        at = _next(code, frame.f_lasti)
        if at is None:
            return []
        name, argument = dis.opname[code[at]], code[at + 1]
        if name == "UNPACK_SEQUENCE":
            return list(range(argument))
        if name == "LOAD_ATTR":
            called = _WITH_METHOD_BIT and argument & 1
            index = argument >> 1 if _WITH_METHOD_BIT else argument
            return [] if called else [frame.f_code.co_names[index]]
        if name in ("LOAD_CONST", "LOAD_SMALL_INT"):
            value = frame.f_code.co_consts[argument] if name == "LOAD_CONST" else argument
            then = _next(code, at)
            if isinstance(value, int) and then is not None and _subscribes(code, then):
                return [value]
        return []


def _next(code: bytes, at: int) -> int | None:
    """Offset of the instruction after the one at ``at``; ``None`` at the end."""
    at += 2
    while at < len(code) and code[at] == _CACHE:
        at += 2
    return at if at + 1 < len(code) else None


def _subscribes(code: bytes, at: int) -> bool:
    return code[at] == _SUBSCRIPT or (code[at] == _BINARY_OP and code[at + 1] == _NB_SUBSCRIPT)
