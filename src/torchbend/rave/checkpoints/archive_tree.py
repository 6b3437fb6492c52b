"""The modules that the pickle in a TorchScript archive describes, by name; nothing in it is run."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, TypeGuard

from torchbend.errors import CheckpointError, WeightsFileError
from torchbend.pickles import Persistent, Record, read_pickle
from torchbend.pickles.tensors import dtype_of, is_tensor

__all__ = ["Module", "Tree", "damaged"]

DEEPEST = 64
"""Modules in modules."""

MOST = 1 << 24
"""Values in all modules, and letters in their names; what several modules hold counts as often."""

LONGEST = 1 << 26
"""Bytes of a pickle; those of exported models have some hundred thousand."""


@dataclass(frozen=True)
class Module:
    """A module of the archive.

    Attributes:
        kind: the name of its class, as the program has it.
        values: its plain attributes: numbers, texts, lists of them.
    """

    kind: str
    values: dict[str, Any]

    @property
    def short_kind(self) -> str:
        """The name of its class without its modules."""
        return self.kind.rpartition(".")[2]


class Tree:
    """The modules of an archive and the tensors in them.

    Args:
        content: the pickle.
        source: a name for messages.

    Attributes:
        modules: by what stands before the names of their tensors.
        tensors: by name, as a state dict has them; each as the pickle describes it.

    Raises:
        CheckpointError: the pickle is too long or damaged, or describes no modules.
    """

    def __init__(self, content: bytes, source: str) -> None:
        self.modules: dict[str, Module] = {}
        self.tensors: dict[str, Record] = {}
        self._source = source
        self._left = MOST
        self._walk(_top(content, source))

    def _walk(self, top: Record) -> None:
        waiting: list[tuple[str, Record, int]] = [("", top, 0)]
        while waiting:
            prefix, record, depth = waiting.pop()
            if depth > DEEPEST:
                raise damaged(self._source, "modules that hold themselves")
            plain: dict[str, Any] = {}
            inner = []
            state = record.state if isinstance(record.state, dict) else {"state": record.state}
            for key, value in state.items():
                if not isinstance(key, str):
                    raise damaged(self._source, f"{type(key).__name__} instead of a name")
                name = f"{prefix}{key}"
                self._count(len(name) + 1)
                if _is_module(value):
                    inner.append((f"{name}.", value, depth + 1))
                elif is_tensor(value):
                    self._add(name, value)
                else:
                    plain[key] = self._plain(value)
            self.modules[prefix] = Module(record.name, plain)
            waiting.extend(reversed(inner))

    def _add(self, name: str, tensor: Record) -> None:
        stored, offset, size = tensor.args[:3]
        mark = stored.mark if isinstance(stored, Persistent) else None
        if not isinstance(mark, tuple) or len(mark) != 5 or not isinstance(offset, int):
            raise damaged(self._source, f"{name}: a tensor without its parts")
        if not isinstance(size, tuple) or any(type(item) is not int or item < 0 for item in size):
            raise damaged(self._source, f"{name}: sizes that are no whole numbers")
        try:
            dtype_of(mark[1])
        except WeightsFileError as error:
            raise damaged(self._source, f"{name}: {error.got}") from error
        self.tensors[name] = tensor

    def _plain(self, value: Any, depth: int = 0) -> Any:
        """Numbers, texts, and lists of them; anything else becomes the name of its kind."""
        if isinstance(value, bool | int | float | str | None):
            return value
        if isinstance(value, list | tuple) and depth < 8:
            self._count(len(value))
            return [self._plain(item, depth + 1) for item in value]
        typed = isinstance(value, Record) and value.name.startswith("torch.jit._pickle.") and value.args
        return self._plain(value.args[0], depth + 1) if typed and depth < 8 else type(value).__name__

    def _count(self, values: int) -> None:
        """So many more: a short pickle can hold the same values without end."""
        self._left -= values
        if self._left < 0:
            raise damaged(self._source, f"more than {MOST} values and letters")


def _top(content: bytes, source: str) -> Record:
    if len(content) > LONGEST:
        raise CheckpointError(
            "this pickle is too long", site=source, wanted=f"at most {LONGEST} bytes", got=len(content)
        )
    try:
        top = read_pickle(io.BytesIO(content))
    except WeightsFileError as error:
        raise CheckpointError(
            "this pickle is damaged, or of a kind that is not read",
            site=source,
            wanted=error.wanted,
            got=error.got,
        ) from error
    if not _is_module(top):
        raise damaged(source, "no module at its top")
    return top


def _is_module(value: Any) -> TypeGuard[Record]:
    """Modules have a state; what else a pickle would make, it makes by a function with arguments."""
    return isinstance(value, Record) and not value.args and value.state is not None


def damaged(source: str, what: object) -> CheckpointError:
    """An archive that cannot be read, and what was found instead."""
    return CheckpointError(
        "the file is damaged, or no exported model",
        site=source,
        wanted="a TorchScript archive",
        got=str(what)[:200],
        next_step="compare its size with that of the original, and fetch it again",
    )
