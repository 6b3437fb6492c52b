"""A file that is as fast at its first block as at its tenth.

TorchScript arranges a method for speed when it is called for the first and for the second time, which takes
as long as many blocks, and what comes of it cannot be saved. But hosts ask a file for its methods when they
load it, before any sound. The file uses that moment: it plays two silent blocks with each method, and puts
back what they changed.

What TorchScript arranges belongs to the method that is called. A call of a method of its own class would be
copied into the caller, and arranged there; a call through an interface is a real call.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._sources import make_source_context
from torch.jit.frontend import build_class_def, build_def

from torchbend.errors import ExportError

__all__ = ["IS_READY", "check_ready", "define_ready"]

IS_READY = "is_ready"
"""The buffer that tells whether a file was prepared since it was loaded."""

_INTERFACE = "Playable"
_BLOCKS = 2


def define_ready(
    module: Any, blocks: Mapping[str, Sequence[int]], written: Sequence[str], seed: bool = False
) -> None:
    """Give a module the method ``_get_ready``, which does its work the first time that it is called.

    Args:
        module: compiled; has the buffer ``is_ready``, with ``seed`` also ``seed_held``.
        blocks: shape of a block by method; methods that are not named are not played.
        written: the tensors that the methods change, by their paths.
        seed: random numbers begin at the seed that is held.
    """
    lines = [
        "def _get_ready(self) -> int:",
        f"    if bool(self.{IS_READY}):",
        "        return 0",
        f"    self.{IS_READY}.fill_(True)",
    ]
    if blocks:
        lines += [f"    kept_{k} = {_at(path)}.clone()" for k, path in enumerate(written)]
        lines += [f"    played: List[{_INTERFACE}] = [self]", "    for each in played:"]
        lines += [f"        for _ in range({_BLOCKS}):"]
        for name, shape in blocks.items():
            lines.append(
                f"            each.{name}(torch.zeros({list(shape)}, device=self.{IS_READY}.device))"
            )
        lines += [f"    {_at(path)}.copy_(kept_{k})" for k, path in enumerate(written)]
    if seed:
        lines.append("    torch.manual_seed(int(self.seed_held))")
    known = {"torch": torch, _INTERFACE: _interface(list(blocks)) if blocks else None}
    kind = torch._C.ConcreteModuleType.from_jit_type(module._c._type())
    module._c._define(kind, "\n".join([*lines, "    return 0", ""]), known.get)


def _at(path: str) -> str:
    """The source of a tensor at a path; parts of it may be numbers."""
    source = "self"
    for part in path.split("."):
        source = f"{source}.{part}" if part.isidentifier() else f'getattr({source}, "{part}")'
    return source


def _interface(methods: Sequence[str]) -> type[nn.Module]:
    """The type of all modules that have these methods, each from one tensor to another."""
    head = [f"class {_INTERFACE}:"]
    for name in methods:
        head += [f"    def {name}(self, x: Tensor) -> Tensor:", "        pass"]
    text = "\n".join([*head, ""])
    node: Any = ast.parse(text).body[0]
    context = make_source_context(text, "<interface>", 1, 0, False)
    parts = [build_def(context, part, None, part.name, _INTERFACE) for part in node.body]  # type: ignore[no-untyped-call]
    definition = build_class_def(context, node, parts, [], _INTERFACE, [])  # type: ignore[no-untyped-call]
    made = type(_INTERFACE, (nn.Module,), {"__module__": "torchbend.export"})
    name = f"__torch__.torchbend.export.{_INTERFACE}"
    known: Any = {"Tensor": Tensor}.get
    compiled: Any = torch._C._jit_script_interface_compile(name, definition, known, True)
    made.__torch_script_interface__ = compiled  # type: ignore[attr-defined]
    return made


def check_ready(module: Any) -> None:
    """Let a module get ready as in a host, and see that it is what it was.

    Args:
        module: a copy, which is ready afterwards.

    Raises:
        ExportError: it fails with silence, or it is another one afterwards.
    """
    before = {name: tensor.clone() for name, tensor in module.named_buffers() if name != IS_READY}
    try:
        module.get_methods()
    except RuntimeError as error:
        raise _unready("it fails with a block of silence", str(error).strip().splitlines()[-1]) from error
    now = dict(module.named_buffers())
    moved = [name for name, tensor in before.items() if not torch.equal(tensor, now[name])]
    if moved:
        raise _unready("it remembers the silence that was played before", ", ".join(moved[:4]))


def _unready(message: str, got: str) -> ExportError:
    return ExportError(
        f"the file cannot be prepared when a host loads it: {message}",
        site="warm_up",
        got=got,
        next_step="warm_up=False leaves this out: the first two blocks are slow then",
    )
