"""One file for each method: all of them appear, or none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torchbend.bending.engine import Engine
from torchbend.export.functional import Functional
from torchbend.export.metadata import file_for
from torchbend.export.program import chosen_methods, refuse_unfit
from torchbend.export.remembering import refuse_memory, remembered
from torchbend.export.restoring import restored

__all__ = ["write_each"]


def write_each(
    engine: Engine,
    path: str | os.PathLike[str],
    methods: Sequence[str] | str | None,
    inputs: Mapping[str, Any] | None,
    ending: str,
    write: Callable[[Functional, Path], None],
) -> list[Path]:
    """Write bent methods under temporary names, and rename them when the last one is complete.

    Args:
        engine: of the bent model.
        path: of the file; with several methods each has its method's name before the ending.
        methods: names of the methods; all that were traced by default.
        inputs: example inputs by method.
        ending: of the files, as ``".onnx"``.
        write: writes one method to a path.

    Returns:
        The files, in the order of the methods.

    Raises:
        NotTracedError: a method was not traced, and no inputs are given.
        ExportError: a method cannot be exported; no file has been written then.
    """
    target = Path(path)
    made: list[tuple[Path, Path]] = []
    with restored(engine):
        chosen = chosen_methods(engine, methods, inputs)
        refuse_unfit(engine, chosen)
        try:
            for method, example in chosen.items():
                final = file_for(target, method, len(chosen), ending)
                unfinished = final.with_name(f".{final.stem}.part{ending}")
                made.append((unfinished, final))
                functional = Functional(engine, method, example)
                _refuse_memory(functional)
                write(functional, unfinished)
                engine.changed()
            for unfinished, final in made:
                unfinished.replace(final)
        finally:
            for unfinished, _ in made:
                unfinished.unlink(missing_ok=True)
    return [final for _, final in made]


def _refuse_memory(functional: Functional) -> None:
    """Say no to callbacks that a second call of the same inputs finds otherwise than the first."""
    functional(*functional.arguments())  # draws are made
    before = remembered(functional.engine)
    functional(*functional.arguments())
    refuse_memory(functional.engine, before)
