"""A TorchScript archive as a tree of names: tensors, plain values, and the constants in its program text.

The archive is a zip file: a pickle describes the modules, files beside it hold the tensors, and the program
lies there as text. The text is searched for constants; it is never compiled.
"""

from __future__ import annotations

import ast
import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor

from torchbend.errors import CheckpointError, WeightsFileError
from torchbend.pickles import Persistent, Record, read_pickle
from torchbend.pickles.tensors import dtype_of, is_tensor, tensor_of

__all__ = ["Archive", "Module"]

DEEPEST = 64
"""Modules in modules."""

MOST = 1 << 24
"""Values in all modules, and letters in their names; what several modules hold counts as often."""

LONGEST = 1 << 26
"""Bytes of a pickle; those of exported models have some hundred thousand."""

CONSTANT = re.compile(r"^  (\w+) : Final\[[^=\n]*\] = ([^\n]{1,200})$", re.MULTILINE)


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


class Archive:
    """An open archive.

    Args:
        path: of the file.

    Raises:
        CheckpointError: the file is damaged, or no TorchScript archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise self._damaged(error) from error
        self._entries = {info.filename: info for info in self._zip.infolist()}
        named = [name for name in self._entries if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(named) != 1:
            self._zip.close()
            raise self._damaged(f"{len(named)} descriptions of modules")
        self._root = named[0].removesuffix("data.pkl")
        self.modules: dict[str, Module] = {}
        self._tensors: dict[str, Record] = {}
        self._constants: dict[str, dict[str, Any]] = {}
        self._left = MOST
        try:
            self._walk()
        except CheckpointError:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    @property
    def names(self) -> list[str]:
        """The names of all tensors, as a state dict has them."""
        return list(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, without reading it."""
        return _whole_numbers(self._tensors[name].args[2])

    def tensor(self, name: str) -> Tensor:
        """A tensor, in memory of its own.

        Raises:
            CheckpointError: its data is missing or damaged.
        """
        try:
            made = tensor_of(self._tensors[name], self._storage)
        except WeightsFileError as error:
            raise self._damaged(f"{name}: {error.got}") from error
        if made is None:
            raise self._damaged(f"{name}: no tensor")
        return made

    def constants(self, kind: str) -> dict[str, Any]:
        """The constants of a class, from the text of its program."""
        if kind not in self._constants:
            folder, _, name = kind.rpartition(".")
            text = self._text(f"{self._root}code/{folder.replace('.', '/')}.py")
            start = text.find(f"class {name}(Module):")
            end = text.find("\n  def ", start) if start >= 0 else 0
            found = CONSTANT.findall(text[max(start, 0) : end if end >= 0 else len(text)])
            self._constants[kind] = {key: value for key, value in map(_constant, found) if key}
        return self._constants[kind]

    def extra(self, name: str) -> bytes | None:
        """The content of an extra file that was written with the archive, ``None`` if there is none."""
        place = f"{self._root}extra/{name}"
        return self._text(place).encode() if place in self._entries else None

    # -- the tree ------------------------------------------------------------------------------------------

    def _walk(self) -> None:
        waiting: list[tuple[str, Record, int]] = [("", self._top(), 0)]
        while waiting:
            prefix, record, depth = waiting.pop()
            if depth > DEEPEST:
                raise self._damaged("modules that hold themselves")
            plain: dict[str, Any] = {}
            inner = []
            state = record.state if isinstance(record.state, dict) else {"state": record.state}
            for key, value in state.items():
                name = f"{prefix}{self._name(key)}"
                self._count(len(name))
                if _is_module(value):
                    inner.append((f"{name}.", value, depth + 1))
                elif is_tensor(value):
                    self._add(name, value)
                else:
                    plain[key] = self._plain(value)
            self.modules[prefix] = Module(record.name, plain)
            waiting.extend(reversed(inner))

    def _top(self) -> Record:
        content = self._bytes(f"{self._root}data.pkl")
        if len(content) > LONGEST:
            raise CheckpointError(
                "this pickle is too long",
                site=str(self.path),
                wanted=f"at most {LONGEST} bytes",
                got=len(content),
            )
        try:
            top = read_pickle(io.BytesIO(content))
        except WeightsFileError as error:
            raise CheckpointError(
                "this pickle is damaged, or of a kind that is not read",
                site=str(self.path),
                wanted=error.wanted,
                got=error.got,
            ) from error
        if not _is_module(top):
            raise self._damaged("no module at its top")
        return top

    def _name(self, key: Any) -> str:
        if not isinstance(key, str):
            raise self._damaged(f"{type(key).__name__} instead of a name")
        return key

    def _add(self, name: str, tensor: Record) -> None:
        stored, offset, size = tensor.args[:3]
        whole = isinstance(stored, Persistent) and isinstance(offset, int)
        if not whole or not isinstance(stored.mark, tuple) or len(stored.mark) != 5:
            raise self._damaged(f"{name}: a tensor without its parts")
        try:
            dtype_of(stored.mark[1])
            _whole_numbers(size)
        except WeightsFileError as error:
            raise self._damaged(f"{name}: {error.got}") from error
        except ValueError as error:
            raise self._damaged(f"{name}: {error}") from error
        self._tensors[name] = tensor

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
            raise self._damaged(f"more than {MOST} values and letters")

    # -- the files -------------------------------------------------------------------------------------------

    def _bytes(self, name: str) -> bytes:
        info = self._entries.get(name)
        # Archives are written uncompressed: nothing unfolds to more than the file's own size.
        if info is None or info.compress_size != info.file_size:
            raise self._damaged(f"no {name} that can be read")
        try:
            return self._zip.read(info)
        except (OSError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
            raise self._damaged(error) from error

    def _storage(self, stored: Any) -> Tensor:
        """The numbers of a storage, which lie in a file of their own."""
        _, kind, key, _, count = stored.mark
        dtype = dtype_of(kind)
        if type(count) is not int or not isinstance(key, str):
            raise WeightsFileError("a storage without a name and a size", got="a tensor without its parts")
        return self._data(f"{self._root}data/{key}", count * dtype.itemsize).view(dtype)

    def _data(self, name: str, size: int) -> Tensor:
        info = self._entries.get(name)
        if info is None or {info.file_size, info.compress_size} != {size}:
            raise self._damaged(f"no {name} of {size} bytes")
        data = torch.empty(size, dtype=torch.uint8)
        target, filled = data.numpy(), 0
        try:
            with self._zip.open(info) as file:
                while part := file.read(1 << 20):
                    target[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
                    filled += len(part)
        except (OSError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
            raise self._damaged(error) from error
        return data

    def _text(self, name: str) -> str:
        if name not in self._entries or self._entries[name].file_size > MOST * 16:
            return ""
        info = self._entries[name]
        try:
            return self._zip.read(info).decode("utf-8", "replace")
        except (OSError, zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError):
            # Constants only add to what the tensors tell.
            return ""

    def _damaged(self, what: object) -> CheckpointError:
        return CheckpointError(
            "the file is damaged, or no exported model",
            site=str(self.path),
            wanted="a TorchScript archive",
            got=str(what)[:200],
            next_step="compare its size with that of the original, and fetch it again",
        )


def _is_module(value: Any) -> TypeGuard[Record]:
    """Modules have a state; what else a pickle would make, it makes by a function with arguments."""
    return isinstance(value, Record) and not value.args and value.state is not None


def _whole_numbers(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple) or any(type(item) is not int or item < 0 for item in value):
        raise ValueError("sizes that are no whole numbers")
    return value


def _constant(found: tuple[str, str]) -> tuple[str, Any]:
    name, text = found
    try:
        return name, ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return "", None
