"""Lambda: any function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from torchbend.bending.callback import BendingCallback

__all__ = ["Lambda"]


class Lambda(BendingCallback):
    """Applies a function of the user's own. It may write into its argument.

    A recipe that holds one cannot be saved: a function is code. Write a ``BendingCallback``
    subclass for that.

    Args:
        fn: takes a tensor, returns a tensor.
        changes_shape: whether it means to return another shape.

    Raises:
        CallbackError: ``fn`` cannot be called.

    Example:
        >>> import torch, torchbend as tb
        >>> tb.Lambda(torch.abs)(torch.tensor([1.0, -3.0])).tolist()
        [1.0, 3.0]
    """

    jit_compatible = False
    nntilde_compatible = False

    def __init__(self, fn: Callable[[Tensor], Tensor], changes_shape: bool = False) -> None:
        super().__init__()
        if not callable(fn):
            raise self.wrong("fn", "a function of one tensor", fn)
        self.fn: Any = fn
        self.changes_shape = bool(changes_shape)

    def bend(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """``fn(x)``."""
        out: Tensor = self.fn(x)
        return out
