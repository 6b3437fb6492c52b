"""Modules that ``torch.compile`` was applied to: what watches a program has to see its Python code run."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

__all__ = ["holds_compiled", "run_eagerly"]


def holds_compiled(module: nn.Module) -> bool:
    """Whether a part of ``module`` was compiled, by ``torch.compile(part)`` or ``part.compile()``."""
    return any(
        "_orig_mod" in part._modules or getattr(part, "_compiled_call_impl", None) is not None
        for part in module.modules()
    )


def run_eagerly() -> AbstractContextManager[Any]:
    """Within it, compiled code runs as the Python code that it was made of.

    Does nothing where nothing was compiled in this process, and before torch 2.6, which cannot.
    """
    if "torch._dynamo" not in sys.modules or not hasattr(torch.compiler, "set_stance"):
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance
