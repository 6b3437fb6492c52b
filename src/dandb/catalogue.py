"""Models by name, as a dict that prints as a table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from torchbend.display import Table
from torchbend.errors import DownloadError

__all__ = ["ModelPath", "Models"]


class ModelPath(str):
    """The path of a model: a string that knows what it is the path of.

    Args:
        path: of the file.
        name: of the model in it; not the name that was asked for, where it stands in for another one.
        about: where it comes from, in some words.
    """

    name: str
    about: str

    def __new__(cls, path: str | os.PathLike[str], name: str, about: str = "") -> ModelPath:
        made = super().__new__(cls, os.fspath(path))
        made.name, made.about = name, about
        return made

    def __getnewargs__(self) -> tuple[str, str, str]:  # type: ignore[override]
        return str(self), self.name, self.about

    @property
    def megabytes(self) -> float:
        """The size of the file."""
        path = Path(self)
        return path.stat().st_size / 1e6 if path.is_file() else 0.0


class Models(dict[str, ModelPath]):
    """Paths of models by name.

    Args:
        paths: by name.

    Attributes:
        missing: models that could not be had, each with the reason.
    """

    def __init__(self, paths: Mapping[str, ModelPath]) -> None:
        super().__init__(paths)
        self.missing: dict[str, str] = {}

    def __missing__(self, name: object) -> ModelPath:
        reason = self.missing.get(str(name))
        raise DownloadError(
            f"{name!r} could not be fetched" if reason else f"there is no model {name!r} here",
            wanted="one of: " + ", ".join(self),
            got=reason,
            next_step="run download_models() again where there is network" if reason else None,
        )

    def table(self) -> Table:
        """One row for each model: name, what it is, size, file; the dict itself holds the whole paths."""
        rows = [
            (name, path.about, f"{path.megabytes:.1f} MB", Path(path).name) for name, path in self.items()
        ]
        rows += [
            (name, "could not be fetched", "", reason)
            for name, reason in self.missing.items()
            if name not in self
        ]
        return Table(("model", "", "size", "file"), rows)

    def __repr__(self) -> str:
        return f"{len(self)} model{'s' * (len(self) != 1)}\n{self.table().text()}"

    def _repr_html_(self) -> str:
        return self.table().html()

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)
