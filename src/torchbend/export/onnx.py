"""A bent method as an ONNX file: states and controls are inputs, new states are outputs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from torchbend.bending.engine import Engine
from torchbend.capture.structure import walk
from torchbend.errors import ExportError, MissingExtraError
from torchbend.export.agreement import agree
from torchbend.export.functional import Functional
from torchbend.export.metadata import KEY, describe, input_name, output_names
from torchbend.export.per_method import write_each
from torchbend.export.program import Sizes, any_size, exported_program, free_sizes, quiet
from torchbend.export.sized import input_nodes, sized_graph

__all__ = ["OPSET", "export_onnx"]

OPSET = 20


def export_onnx(
    engine: Engine,
    path: str | os.PathLike[str],
    methods: Sequence[str] | str | None = None,
    inputs: Mapping[str, Any] | None = None,
    opset: int = OPSET,
) -> list[Path]:
    """Write bent methods to ONNX files, one file for each.

    A file's inputs are the tensors of the method, then ``state.<buffer>`` for each buffer that it writes
    (zeros at the start of a stream), then one scalar for each control (float32, int64 or bool). Its outputs
    are those of the method, then ``next.<buffer>`` for each state. Lengths that the live model takes are
    free. What else a host needs (ranges of controls, shapes, sample rate, delay) is JSON in the file's
    metadata, under ``torchbend``.

    Weights that a control bends are computed from its input in each run: that reads and writes such a weight
    once more per block. Branches on flags of the model are taken as they are now.

    The file is compared with the live model before it gets its name.

    Args:
        engine: of the bent model.
        path: of the file. Where there are several methods, ``model.onnx`` becomes ``model.encode.onnx`` and
            so on.
        methods: names of the methods; all that were traced by default.
        inputs: example inputs by method, as a tensor, a tuple of arguments or a dict of them. By default
            noise like the inputs that each method was traced with.
        opset: version of ONNX's operators, at least 18.

    Returns:
        The files, in the order of the methods.

    Raises:
        NotTracedError: a method was not traced, and no inputs are given.
        ExportError: a callback or the model cannot be exported; no file has been written then.
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed.
    """
    _need_packages()
    return write_each(engine, path, methods, inputs, ".onnx", partial(_write, opset=opset))


def _need_packages() -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        try:
            __import__(name)
        except ImportError as error:
            raise MissingExtraError(
                "the export to ONNX needs packages that are not installed",
                site=name,
                next_step="pip install 'torchbend[onnx]'",
            ) from error


def _write(functional: Functional, path: Path, opset: int) -> None:
    try:
        _save(functional, free_sizes(functional), path, partial(_written, opset=opset))
    except ExportError:  # torch's own exporter knows more operations, and tells where it fails
        program, sizes = exported_program(functional)
        _save(functional, sizes, path, lambda *_: _translated(functional, program, opset))


def _save(functional: Functional, sizes: Sizes, path: Path, made: Callable[..., Any]) -> None:
    """Make a graph, write it, and compare the file with the live model."""
    from torchbend.export.onnx_layout import for_blocks, save

    model = made(functional, sizes)
    inputs, states, controls = functional.arguments()
    results, _ = functional(inputs, states, controls)
    names = [input_name(name, place) for name, value in inputs.items() for place, _ in walk(value)]
    graph = model.graph
    into = [*names, *(f"state.{n}" for n in states), *controls]
    out = [*output_names(len(results)), *(f"next.{n}" for n in states)]
    for value, name in (*zip(graph.inputs, into, strict=True), *zip(graph.outputs, out, strict=True)):
        value.name = name
    turned = for_blocks(model)
    described = describe(functional, sizes, names, results, turned)
    model.metadata_props[KEY] = json.dumps(described)
    save(model, path)
    agree(functional, sizes, _runner(path, names, turned))


def _written(functional: Functional, sizes: Sizes, opset: int) -> Any:
    """The method as an ONNX graph (an ``onnx_ir.Model``), written by this package.

    Raises:
        ExportError: it has an operation that is not known here, or takes another way at other sizes.
    """
    from torchbend.export.onnx_arithmetic import ARITHMETIC
    from torchbend.export.onnx_layout import swept
    from torchbend.export.onnx_spectra import SPECTRA
    from torchbend.export.onnx_tensors import TENSORS
    from torchbend.export.onnx_write import written

    graph = sized_graph(functional, sizes)
    return swept(written(graph, input_nodes(graph, functional), ARITHMETIC | TENSORS | SPECTRA, opset))


def _translated(functional: Functional, program: ExportedProgram, opset: int) -> Any:
    """The program as an ONNX graph (an ``onnx_ir.Model``).

    Raises:
        ExportError: an operation has no counterpart.
    """
    from torchbend.export.onnx_operators import translations

    try:
        with quiet(), any_size(), torch.no_grad():
            made: Any = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=opset,
                optimize=False,
                verbose=False,
                custom_translation_table=translations(),
            )
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ExportError(
            f"torch.onnx failed: {lines[-1] if lines else type(error).__name__}",
            site=functional.method,
            wanted="operations that ONNX has",
            next_step="export to another target, or look at the error above this one",
        ) from error
    from torchbend.export.onnx_layout import simplified

    return simplified(made.model)


def _runner(path: Path, names: Sequence[str], turned: Collection[str]) -> Any:
    """Runs the file once per call, from tensors to tensors."""
    from torchbend.export.onnx_stream import open_session

    session = open_session(path, threads=1)
    wanted = {i.name for i in session.get_inputs()}
    produced = [o.name for o in session.get_outputs()]

    def run(inputs: Mapping[str, Any], states: Mapping[str, Tensor], controls: Mapping[str, Tensor]) -> Any:
        feed = dict(zip(names, (t for value in inputs.values() for _, t in walk(value)), strict=True))
        feed |= {f"state.{n}": _turned(t, n in turned) for n, t in states.items()} | dict(controls)
        given = {n: t.detach().contiguous().numpy() for n, t in feed.items() if n in wanted}
        found = [torch.from_numpy(a) for a in session.run(produced, given)]
        count = len(found) - len(states)
        after = zip(states, found[count:], strict=True)
        return found[:count], {n: _turned(t, n in turned) for n, t in after}

    return run


def _turned(tensor: Tensor, turn: bool) -> Tensor:
    return tensor.transpose(1, 2) if turn else tensor
