"""Make an ONNX graph ready for onnxruntime."""

from __future__ import annotations

from typing import Any

__all__ = ["simplified"]


def simplified(model: Any) -> Any:
    """The model without what can be computed now, and without what nobody uses.

    Args:
        model: an ``onnx_ir.Model``; it is changed.
    """
    import onnx_ir.passes.common as passes
    from onnxscript.optimizer import fold_constants

    passes.InlinePass()(model)
    fold_constants(model, onnx_shape_inference=False)
    for step in (
        passes.IdentityEliminationPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.RemoveUnusedNodesPass(),
        passes.RemoveUnusedFunctionsPass(),
        passes.RemoveUnusedOpsetsPass(),
    ):
        step(model)
    return model
