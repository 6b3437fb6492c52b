"""Scale, Bias, Affine: the linear bends."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from torchbend.bending.callback import BendingCallback

__all__ = ["Scale", "Bias", "Affine"]


class Scale(BendingCallback):
    """``x * scale``.

    Integers become what torch makes of the product: int64 times 1.3 is float.

    Args:
        scale: the factor; a number, a control or an expression.

    Shape: any, kept.

    Example:
        >>> import torch, torchbend as tb
        >>> tb.Scale(2.0)(torch.tensor([1.0, -3.0])).tolist()
        [2.0, -6.0]
    """

    writes_in_place = False
    controllable_params = ("scale",)

    def __init__(self, scale: Any = 1.0) -> None:
        super().__init__()
        self.register_controllable("scale", scale)

    def bend(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """``x * scale``."""
        out: Tensor = x * self.get("scale")
        return out


class Bias(BendingCallback):
    """``x + bias``.

    Args:
        bias: what is added; a number, a control or an expression.

    Shape: any, kept.

    Example:
        >>> import torch, torchbend as tb
        >>> tb.Bias(0.5)(torch.tensor([1.0, -3.0])).tolist()
        [1.5, -2.5]
    """

    writes_in_place = False
    controllable_params = ("bias",)

    def __init__(self, bias: Any = 0.0) -> None:
        super().__init__()
        self.register_controllable("bias", bias)

    def bend(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """``x + bias``."""
        out: Tensor = x + self.get("bias")
        return out


class Affine(BendingCallback):
    """``x * scale + bias``. Mind the order of the arguments: the bias comes first.

    Args:
        bias: what is added; a number, a control or an expression.
        scale: the factor; a number, a control or an expression.

    Shape: any, kept.

    Example:
        >>> import torch, torchbend as tb
        >>> tb.Affine(bias=1.0, scale=2.0)(torch.tensor([1.0, -3.0])).tolist()
        [3.0, -5.0]
    """

    writes_in_place = False
    controllable_params = ("bias", "scale")

    def __init__(self, bias: Any = 0.0, scale: Any = 1.0) -> None:
        super().__init__()
        self.register_controllable("bias", bias)
        self.register_controllable("scale", scale)

    def bend(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """``x * scale + bias``."""
        out: Tensor = x * self.get("scale") + self.get("bias")
        return out
