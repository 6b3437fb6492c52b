"""A TorchScript archive as a tree of names: tensors, plain values, and the constants in its program text.

The archive is a zip file: a pickle describes the modules, files beside it hold the tensors, and the program
lies there as text. The text is searched for constants; it is never compiled.
"""

from __future__ import annotations

import ast
import re
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchbend.errors import CheckpointError, WeightsFileError
from torchbend.pickles import tensor_of
from torchbend.pickles.tensors import dtype_of
from torchbend.rave.checkpoints.archive_tree import Module, Tree, damaged

__all__ = ["Archive"]

LONGEST = 1 << 24
"""Bytes of a program's text."""

CONSTANT = re.compile(r"^  (\w+) : Final\[[^=\n]*\] = ([^\n]{1,200})$", re.MULTILINE)


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
            raise damaged(str(self.path), error) from error
        self._entries = {info.filename: info for info in self._zip.infolist()}
        named = [name for name in self._entries if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(named) != 1:
            self._zip.close()
            raise damaged(str(self.path), f"{len(named)} descriptions of modules")
        self._root = named[0].removesuffix("data.pkl")
        self._constants: dict[str, dict[str, Any]] = {}
        try:
            self._tree = Tree(self._bytes(named[0]), str(path))
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
    def modules(self) -> dict[str, Module]:
        """The modules by what stands before the names of their tensors."""
        return self._tree.modules

    @property
    def names(self) -> list[str]:
        """The names of all tensors, as a state dict has them."""
        return list(self._tree.tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, without reading it."""
        size: tuple[int, ...] = self._tree.tensors[name].args[2]
        return size

    def tensor(self, name: str) -> Tensor:
        """A tensor, in memory of its own.

        Raises:
            CheckpointError: its data is missing or damaged.
        """
        try:
            made = tensor_of(self._tree.tensors[name], self._storage)
        except WeightsFileError as error:
            raise damaged(str(self.path), f"{name}: {error.got}") from error
        if made is None:
            raise damaged(str(self.path), f"{name}: no tensor")
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

    # -- the files -------------------------------------------------------------------------------------------

    def _bytes(self, name: str) -> bytes:
        info = self._entries.get(name)
        # Archives are written uncompressed: nothing unfolds to more than the file's own size.
        if info is None or info.compress_size != info.file_size:
            raise damaged(str(self.path), f"no {name} that can be read")
        try:
            return self._zip.read(info)
        except (OSError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
            raise damaged(str(self.path), error) from error

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
            raise damaged(str(self.path), f"no {name} of {size} bytes")
        try:
            data = torch.empty(size, dtype=torch.uint8)
            target, filled = data.numpy(), 0
            with self._zip.open(info) as file:
                while part := file.read(1 << 20):
                    target[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
                    filled += len(part)
        except (OSError, zipfile.BadZipFile, EOFError, RuntimeError, ValueError) as error:
            raise damaged(str(self.path), error) from error
        return data

    def _text(self, name: str) -> str:
        if name not in self._entries or self._entries[name].file_size > LONGEST:
            return ""
        info = self._entries[name]
        try:
            return self._zip.read(info).decode("utf-8", "replace")
        except (OSError, zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError):
            # Constants only add to what the tensors tell.
            return ""


def _constant(found: tuple[str, str]) -> tuple[str, Any]:
    name, text = found
    try:
        return name, ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return "", None
