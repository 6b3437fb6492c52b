"""Make an ONNX graph ready for onnxruntime."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

__all__ = ["for_blocks", "save", "simplified", "swept"]

_LARGEST = 2_000_000_000


def simplified(model: Any) -> Any:
    """The model without what can be computed now, and without what nobody uses.

    Args:
        model: an ``onnx_ir.Model``; it is changed.
    """
    passes: Any = importlib.import_module("onnx_ir.passes.common")
    from onnxscript.optimizer import fold_constants

    passes.InlinePass()(model)
    everything = 2**62  # weights that are reshaped too
    fold_constants(
        model, onnx_shape_inference=False, input_size_limit=everything, output_size_limit=everything
    )
    for step in (
        passes.IdentityEliminationPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.RemoveUnusedNodesPass(),
        passes.RemoveUnusedFunctionsPass(),
        passes.RemoveUnusedOpsetsPass(),
    ):
        step(model)
    return model


def swept(model: Any) -> Any:
    """The model without copies, and without what is computed twice or for nobody.

    Args:
        model: an ``onnx_ir.Model``; it is changed.
    """
    passes: Any = importlib.import_module("onnx_ir.passes.common")
    for step in (
        passes.IdentityEliminationPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.RemoveUnusedNodesPass(),
    ):
        step(model)
    return model


def for_blocks(model: Any) -> set[str]:
    """Lay signals and states out for short blocks (see `to_rows`).

    Args:
        model: an ``onnx_ir.Model``; it is changed.

    Returns:
        Names of the states that are rows now.
    """
    passes: Any = importlib.import_module("onnx_ir.passes.common")

    from torchbend.export.onnx_rows import to_rows

    turned = to_rows(model)
    for step in (
        passes.RemoveUnusedNodesPass(),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.RemoveUnusedNodesPass(),
    ):
        step(model)
    return turned


def save(model: Any, path: Path) -> None:
    """Write the model; weights of more than two gigabytes go to a file beside it."""
    import onnx_ir

    size = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value is not None)
    onnx_ir.save(model, path, external_data=f"{path.name}.data" if size > _LARGEST else None)
