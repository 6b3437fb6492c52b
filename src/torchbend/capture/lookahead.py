"""Where in the model's source we are, and what it does with a result next.

``a, b = x.shape`` and ``x.shape[0]`` read parts of a result in ways that no tensor call shows. Like
torch.fx, which peeks at the unpacking instruction, we look one instruction ahead, so that the reads become
``getitem`` nodes at the place where the program makes them.
"""

from __future__ import annotations

import dis
import os
import sys
from types import CodeType, FrameType

import torch

__all__ = ["model_frame", "source_line", "Lookahead"]

_TORCH = os.path.dirname(torch.__file__) + os.sep
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OWN = tuple(os.path.join(_PACKAGE, part) + os.sep for part in ("capture", "bending", "module"))
_OUTSIDE = (_TORCH, *_OWN, "<frozen", "<eval_with_key>")


def model_frame() -> FrameType | None:
    """The innermost Python frame that belongs neither to torch nor to the capture."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OUTSIDE):
        frame = frame.f_back
    return frame


def source_line(frame: FrameType | None) -> str:
    """``"model.py:12"``, with the folder that holds the file."""
    if frame is None:
        return ""
    path = frame.f_code.co_filename
    folder, name = os.path.split(path)
    return f"{os.path.join(os.path.basename(folder), name)}:{frame.f_lineno}"


class Lookahead:
    """Reads the instructions that follow the current one, caching each function's code."""

    def __init__(self) -> None:
        self._code: dict[CodeType, tuple[dict[int, int], list[dis.Instruction]]] = {}

    def parts(self, frame: FrameType | None) -> list[int | str]:
        """Which parts of the result the next instruction reads: indices, or one attribute's name."""
        if frame is None:
            return []
        index, instructions = self._of(frame.f_code)
        at = index.get(frame.f_lasti)
        if at is None or at + 1 >= len(instructions):
            return []
        following = instructions[at + 1]
        if following.opname == "UNPACK_SEQUENCE":
            return list(range(following.arg or 0))
        if following.opname == "LOAD_ATTR" and isinstance(following.argval, str):
            return [following.argval]
        if following.opname in ("LOAD_CONST", "LOAD_SMALL_INT") and at + 2 < len(instructions):
            subscript = instructions[at + 2]
            reads = subscript.opname == "BINARY_SUBSCR" or subscript.argrepr == "[]"
            if reads and isinstance(following.argval, int):
                return [following.argval]
        return []

    def _of(self, code: CodeType) -> tuple[dict[int, int], list[dis.Instruction]]:
        known = self._code.get(code)
        if known is None:
            instructions = list(dis.get_instructions(code))
            known = ({i.offset: k for k, i in enumerate(instructions)}, instructions)
            self._code[code] = known
        return known
