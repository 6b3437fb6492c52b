"""The log of a run: one line of JSON for each record, readable at any time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torchbend.display.atomic import write_text
from torchbend.errors import TrainingError

__all__ = ["Records", "read_records"]


def read_records(path: Path) -> list[dict[str, Any]]:
    """All records of a log, in order; a torn last line is left out.

    Args:
        path: of ``records.jsonl``; a missing file has no records.
    """
    return list(_lines(path))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("step"), int):
            yield record


class Records:
    """Appends to a log. What a killed run wrote after its last checkpoint is taken back first.

    Args:
        path: of the log.
        step: steps done: records of later ones are dropped.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        self.path = path
        kept = [record for record in _lines(path) if record["step"] <= step]
        self._try(lambda: write_text(path, "".join(json.dumps(record) + "\n" for record in kept)))

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        """Append one record.

        Raises:
            TrainingError: the disk takes no more.
        """

        def write() -> None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")

        self._try(write)

    def _try(self, write: Any) -> None:
        try:
            write()
        except OSError as error:
            raise TrainingError("the log cannot be written", site=str(self.path), got=str(error)) from error
