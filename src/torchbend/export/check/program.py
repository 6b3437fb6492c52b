"""The program text of a TorchScript archive, looked at without running it: classes, calls of operators."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["OperatorCall", "Program", "ScriptClass", "read_program"]

DEEPEST = 64
"""Modules in modules."""


@dataclass(frozen=True)
class OperatorCall:
    """A call of an operator in the text.

    Attributes:
        operator: its name, as ``aten::add``.
        positional: how many arguments are given in order.
        keywords: the names of the others.
        place: the function or method that the call stands in.
    """

    operator: str
    positional: int
    keywords: tuple[str, ...]
    place: str


@dataclass
class ScriptClass:
    """A class of the archive: its attributes with their types, its buffers and parameters, its methods."""

    attributes: dict[str, str] = field(default_factory=dict)
    buffers: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    @property
    def states(self) -> tuple[str, ...]:
        """The attributes that hold tensors, alone or in lists and dictionaries, and are no parameters."""
        return tuple(
            name
            for name, kind in self.attributes.items()
            if "Tensor" in kind and "__torch__" not in kind and name not in self.parameters
        )


@dataclass
class Program:
    """What the text of an archive holds.

    Attributes:
        classes: by their full names (``__torch__.package.Class``).
        calls: of operators, each kind once for each place.
        unread: the files whose text is not understood, with the reason.
    """

    classes: dict[str, ScriptClass] = field(default_factory=dict)
    calls: list[OperatorCall] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def top(self) -> str:
        """The class of the whole model: the one that is no part of another ('' when that is not clear)."""
        inside = {kind for each in self.classes.values() for kind in each.attributes.values()}
        free = [
            name
            for name, each in self.classes.items()
            if name not in inside and "training" in each.attributes
        ]
        return free[0] if len(free) == 1 else ""

    def buffer_names(self) -> list[str]:
        """The full names of the model's buffers, as a state dict has them."""
        return sorted(self._walk(self.top, "", lambda each: each.buffers))

    def state_names(self) -> list[str]:
        """The full names of what holds tensors and is no parameter: buffers, and other attributes."""
        return sorted(self._walk(self.top, "", lambda each: each.states))

    def _walk(
        self, kind: str, prefix: str, names: Callable[[ScriptClass], tuple[str, ...]], depth: int = 0
    ) -> Iterator[str]:
        found = self.classes.get(kind)
        if found is None or depth > DEEPEST:
            return
        yield from (f"{prefix}{name}" for name in names(found))
        for name, inner in found.attributes.items():
            yield from self._walk(inner, f"{prefix}{name}.", names, depth + 1)


def read_program(files: Mapping[str, str]) -> Program:
    """What the files hold.

    Args:
        files: the text by its name below ``code/``, as ``__torch__/package.py``.
    """
    program = Program()
    calls: dict[OperatorCall, None] = {}
    for name, text in files.items():
        try:
            tree = ast.parse(text)
            module = name.removesuffix(".py").replace("/", ".")
            for statement in tree.body:
                if isinstance(statement, ast.ClassDef):
                    place = f"{module}.{statement.name}"
                    program.classes[place] = _class(statement)
                    for method in statement.body:
                        calls.update(dict.fromkeys(_calls(method, place)))
                else:
                    calls.update(dict.fromkeys(_calls(statement, module)))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            program.unread[name] = f"{type(error).__name__}: {error}"[:200]
    program.calls = list(calls)
    return program


def _class(node: ast.ClassDef) -> ScriptClass:
    found = ScriptClass(methods=tuple(s.name for s in node.body if isinstance(s, ast.FunctionDef)))
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found.attributes[statement.target.id] = ast.unparse(statement.annotation)
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
            if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                # Names that are no identifiers, such as those of the parts of nn.Sequential.
                found.attributes[str(target.slice.value)] = ast.unparse(value)
            elif isinstance(target, ast.Name) and isinstance(value, ast.List):
                names = tuple(str(item.value) for item in value.elts if isinstance(item, ast.Constant))
                if target.id == "__buffers__":
                    found.buffers = names
                elif target.id == "__parameters__":
                    found.parameters = names
    return found


def _calls(statement: ast.stmt, above: str) -> Iterator[OperatorCall]:
    if not isinstance(statement, ast.FunctionDef):
        return
    place = f"{above}.{statement.name}".removeprefix("__torch__.")
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and (operator := _operator(node.func)):
            keywords = tuple(keyword.arg or "" for keyword in node.keywords)
            yield OperatorCall(operator, len(node.args), keywords, place)


def _operator(function: ast.expr) -> str:
    """``torch.add`` is ``aten::add``, ``ops.prim.data`` is ``prim::data``; anything else is no operator."""
    if not isinstance(function, ast.Attribute):
        return ""
    if isinstance(function.value, ast.Name) and function.value.id == "torch":
        return f"aten::{function.attr}"
    inner = function.value
    if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id == "ops":
        return f"{inner.attr}::{function.attr}"
    return ""
