"""The kinds of numbers that a model's weights can be loaded as, by the names that users write."""

from __future__ import annotations

import torch

from torchbend.errors import CheckpointError

__all__ = ["dtype_of"]

_DTYPES = {
    "bf16": torch.bfloat16,
    "bfloat16": torch.bfloat16,
    "fp16": torch.float16,
    "float16": torch.float16,
    "fp32": torch.float32,
    "float32": torch.float32,
}


def dtype_of(dtype: str | torch.dtype) -> torch.dtype:
    """``"bf16"``, ``"fp16"``, ``"fp32"`` and their long names as a dtype; a floating dtype as it is.

    Raises:
        CheckpointError: it is none of these.
    """
    found = _DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise CheckpointError(
            "a model cannot have such numbers", site="dtype", wanted="bf16, fp16 or fp32", got=repr(dtype)
        )
    return found
