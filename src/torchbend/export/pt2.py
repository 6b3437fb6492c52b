"""A bent method as a ``torch.export`` package: states and controls are inputs, new states are outputs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from torchbend.bending.engine import Engine
from torchbend.capture.structure import walk
from torchbend.errors import ExportError
from torchbend.export.agreement import agree
from torchbend.export.functional import Functional
from torchbend.export.metadata import KEY, describe, input_name
from torchbend.export.per_method import write_each
from torchbend.export.program import exported_program, quiet

__all__ = ["export_pt2"]


def export_pt2(
    engine: Engine,
    path: str | os.PathLike[str],
    methods: Sequence[str] | str | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write bent methods to ``.pt2`` packages, one for each.

    ``torch.export.load(path).module(check_guards=False)`` gives a module that is called with three dicts by
    name: ``module(inputs={"x": x}, states=states, controls={"gain": torch.tensor(2.0)})``. It returns the
    list of the result's tensors, and the new states. The extra file ``torchbend`` of the package is a
    description in JSON (see `describe`); states begin with zeros unless it says otherwise. Lengths that the
    live model takes are free.

    Args:
        engine: of the bent model.
        path: of the package. Where there are several methods, ``model.pt2`` becomes ``model.encode.pt2`` and
            so on.
        methods: names of the methods; all that were traced by default.
        inputs: example inputs by method; by default noise like the inputs that each method was traced with.

    Returns:
        The files, in the order of the methods.

    Raises:
        NotTracedError: a method was not traced, and no inputs are given.
        ExportError: a callback or the model cannot be exported; no file has been written then.
    """
    return write_each(engine, path, methods, inputs, ".pt2", _write)


def _write(functional: Functional, path: Path) -> None:
    program, sizes = exported_program(functional)
    inputs, states, controls = functional.arguments()
    results, _ = functional(inputs, states, controls)
    names = [input_name(name, place) for name, value in inputs.items() for place, _ in walk(value)]
    described = json.dumps(describe(functional, sizes, names, results))
    try:
        with quiet():
            torch.export.save(program, path, extra_files={KEY: described})
            module = torch.export.load(path).module(check_guards=False)
    except (RuntimeError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise ExportError(
            f"the program cannot be saved: {str(error).splitlines()[0] if str(error) else error!r}",
            site=functional.method,
            wanted="operations of torch",
        ) from error
    agree(functional, sizes, lambda i, s, c: module(inputs=i, states=s, controls=c))
