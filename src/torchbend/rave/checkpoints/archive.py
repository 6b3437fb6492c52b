"""A TorchScript archive as a tree of names: tensors, plain values, and the constants in its program text.

The archive is a zip file: a pickle describes the modules, files beside it hold the tensors, and the program
lies there as text. The text is searched for constants; it is never compiled.
"""

from __future__ import annotations

import ast
import math
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchbend.errors import CheckpointError
from torchbend.rave.checkpoints.inert import Call, Name, Persistent, Record, read_inert

__all__ = ["Archive", "Module"]

DEEPEST = 64
"""Modules in modules."""

MOST = 1 << 20
"""Modules in an archive."""

TYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

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
        self._tensors: dict[str, Call] = {}
        self._constants: dict[str, dict[str, Any]] = {}
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
        return _whole_numbers(self._tensors[name].arguments[2])

    def tensor(self, name: str) -> Tensor:
        """A tensor, in memory of its own.

        Raises:
            CheckpointError: its data is missing or damaged.
        """
        storage, offset, size, stride = self._tensors[name].arguments[:4]
        try:
            _, kind, key, _, count = storage.key
            dtype = TYPES[kind.path.rpartition(".")[2]]
            size, stride = _whole_numbers(size), _whole_numbers(stride)
            last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
            empty = math.prod(size) == 0
            if offset < 0 or count < 0 or min((*stride, 0)) < 0 or (not empty and last >= count):
                raise ValueError(f"a tensor of {size} in {count} numbers")
            data = self._data(f"{self._root}data/{key}", count * dtype.itemsize).view(dtype)
            return torch.as_strided(data, size, stride, offset)
        except (TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
            raise self._damaged(f"{name}: {error}") from error

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
        top = read_inert(self._bytes(f"{self._root}data.pkl"), str(self.path))
        if not isinstance(top, Record):
            raise self._damaged("no module at its top")
        waiting: list[tuple[str, Record, int]] = [("", top, 0)]
        while waiting:
            prefix, record, depth = waiting.pop()
            if depth > DEEPEST or len(self.modules) > MOST:
                raise self._damaged("modules that hold themselves")
            plain: dict[str, Any] = {}
            inner = []
            for key, value in record.values.items():
                if isinstance(value, Record):
                    inner.append((f"{prefix}{key}.", value, depth + 1))
                elif isinstance(value, Call) and value.name == "torch._utils._rebuild_tensor_v2":
                    self._add(f"{prefix}{key}", value)
                else:
                    plain[str(key)] = _plain(value)
            self.modules[prefix] = Module(record.name, plain)
            waiting.extend(reversed(inner))

    def _add(self, name: str, call: Call) -> None:
        arguments = call.arguments
        whole = len(arguments) >= 4 and isinstance(arguments[0], Persistent) and isinstance(arguments[1], int)
        if not whole or not isinstance(arguments[0].key, tuple) or len(arguments[0].key) != 5:
            raise self._damaged(f"{name}: a tensor without its parts")
        if not isinstance(arguments[0].key[1], Name):
            raise self._damaged(f"{name}: a tensor without a type")
        try:
            _whole_numbers(arguments[2])
        except ValueError as error:
            raise self._damaged(f"{name}: {error}") from error
        self._tensors[name] = call

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


def _plain(value: Any, depth: int = 0) -> Any:
    """Numbers, texts, and lists of them; anything else becomes the name of its kind."""
    if isinstance(value, bool | int | float | str | None):
        return value
    if isinstance(value, list | tuple) and depth < 8:
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, Call) and value.name.startswith("torch.jit._pickle.") and value.arguments:
        return _plain(value.arguments[0], depth + 1)
    return type(value).__name__


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
