"""Where a bent model can go."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from torchbend.bending.engine import Engine
from torchbend.errors import ExportError
from torchbend.export.context import with_context
from torchbend.export.files import facts_of, write_torchscript
from torchbend.export.nntilde import Switch, nn_module
from torchbend.export.patches import stage_of, write_patches
from torchbend.export.play import Played, PlayMethod, played_methods
from torchbend.export.rows import most_rows
from torchbend.export.torchscript import script

__all__ = ["TARGETS", "export", "export_played"]

TARGETS = ("nn~", "torchscript", "onnx", "pt2")
"""The kinds of files."""


def export(
    engine: Engine,
    path: str | os.PathLike[str],
    target: str = "nn~",
    methods: Mapping[str, PlayMethod | Sequence[int]] | Sequence[str] | None = None,
    inputs: Mapping[str, Any] | None = None,
    patches: bool = True,
    *,
    seed: int | None = None,
    warm_up: bool = True,
    context: int | Mapping[str, int] = 0,
    batch: int = 4,
) -> Path | list[Path]:
    """Write the traced methods of a bent model to a file, with their bends and live controls.

    Args:
        engine: of the bent model.
        path: of the file; a JSON file that tells where it comes from is written beside it (ONNX files and
            packages hold theirs inside).
        target: ``"nn~"`` for Max and Pure Data, ``"torchscript"`` for any program with libtorch, ``"onnx"``
            for ONNX Runtime, ``"pt2"`` for ``torch.export.load``.
        methods: which methods; for nn~ with their channels and ratios (see `played_methods`).
        inputs: for the other targets: example inputs by method (see `script`).
        patches: for nn~: write a patch for Pure Data and one for Max beside the file.
        seed: for nn~: an attribute ``seed`` of this value; random numbers begin there when the file is
            loaded, and anew when it is set.
        warm_up: for nn~: play silence when the file is loaded, so that the first blocks are fast.
        context: for nn~: how many values of its input a method looks at to either side, for all methods or by
            name: it remembers them from block to block, and is so much later (see `with_context`).
        batch: signals at once that ``context`` is remembered for, at most.

    Returns:
        The path of the file; for ``"onnx"`` and ``"pt2"`` the paths of the files, one for each method.

    Raises:
        NotTracedError: no method was traced.
        ExportError: something cannot be exported, or the target is unknown; nothing is written then.
        MissingExtraError: the target needs a package that is not installed.
    """
    if target == "nn~":
        like = next((t for t in (*engine.module.parameters(), *engine.module.buffers())), torch.zeros(()))
        played, past = with_context(played_methods(engine, methods), context, batch, like)
        return export_played(engine, path, played, beside=past, patches=patches, seed=seed, warm_up=warm_up)
    if target == "torchscript":
        module: Any = script(engine, inputs=inputs)
        return write_torchscript(module, path, facts_of(engine, target=target))
    if target in ("onnx", "pt2"):
        from torchbend.export.onnx import export_onnx
        from torchbend.export.pt2 import export_pt2

        write = export_onnx if target == "onnx" else export_pt2
        return write(engine, path, None if methods is None else list(methods), inputs)
    raise ExportError(
        "a model cannot go there",
        site="target",
        wanted=f"one of: {', '.join(TARGETS)}",
        got=repr(target),
    )


def export_played(
    engine: Engine,
    path: str | os.PathLike[str],
    methods: Mapping[str, Played],
    switches: Mapping[str, Switch] | None = None,
    beside: nn.Module | None = None,
    patches: bool = True,
    extra: Mapping[str, str] | None = None,
    seed: int | None = None,
    warm_up: bool = True,
    **facts: Any,
) -> Path:
    """Write methods to a file for nn~.

    Args:
        engine: of the bent model.
        path: of the file.
        methods: what is played.
        switches: further attributes (see `nn_module`).
        beside: a module beside the model whose tensors the methods use too.
        patches: write a patch for Pure Data and one for Max beside the file.
        extra: further texts in the file, by name.
        seed: where random numbers begin (see `nn_module`).
        warm_up: play silence when the file is loaded (see `nn_module`).
        facts: further facts for the JSON file; ``max_batch`` is found out where it is not told.

    Raises:
        ExportError: something cannot be exported; nothing is written then.
    """
    module = nn_module(engine, methods, switches, beside, seed=seed, warm_up=warm_up)
    if "max_batch" not in facts:
        facts["max_batch"] = most_rows(module, methods)
    told = {
        "target": "nn~",
        "methods": {name: list(method.about.params) for name, method in methods.items()},
        "delays": {name: method.delay for name, method in methods.items() if method.delay is not None},
        **({} if seed is None else {"seed": seed}),
        **facts,
    }
    written = write_torchscript(module, path, facts_of(engine, **told), extra)
    if patches:
        rate, rows = facts.get("sample_rate"), facts.get("max_batch")
        write_patches(written, stage_of(engine, written.stem, methods, switches or (), rate, rows, seed))
    return written
