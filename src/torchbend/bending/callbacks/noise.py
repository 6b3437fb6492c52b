"""Normal: fixed noise, added or multiplied."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.axes import checked_dim
from torchbend.bending.callbacks.draws import draw_shape, normal
from torchbend.bending.site_state import SiteState

__all__ = ["Normal"]


class Normal(BendingCallback):
    """Adds Gaussian noise of deviation ``std``, or multiplies by it.

    The noise is drawn once for (seed, site) and then stays: for a weight value by value, for an
    activation channel by channel, unless ``dim`` is given.

    Args:
        std: standard deviation of the noise; a number, a control or an expression.
        seed: of the noise. None: drawn once.
        dim: draw one value per index along this dimension.
        op: ``"add"`` for ``x + std * n``, ``"mul"`` for ``x * (std * n)``.

    Shape: any, kept.

    Raises:
        CallbackError: ``op`` is neither, or ``dim`` is not a dimension of the tensor.

    Example:
        >>> import torch, torchbend as tb
        >>> bend = tb.Normal(0.1, seed=1)
        >>> x = torch.zeros(1, 4, 100)
        >>> round(float(bend(x).std()), 1), torch.equal(bend(x), bend(x))
        (0.1, True)
    """

    writes_in_place = False
    controllable_params = ("std",)

    def __init__(
        self, std: Any = 0.3, seed: int | None = None, dim: int | None = None, op: str = "add"
    ) -> None:
        super().__init__(seed)
        self.register_controllable("std", std)
        self.dim = checked_dim(self, dim)
        if op not in ("add", "mul"):
            raise self.wrong("op", "'add' or 'mul'", op)
        self.op = op

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` with the noise."""
        noise: Tensor = normal(x, site, self.seed, draw_shape(self, x, site, self.dim)) * self.get("std")
        return x + noise if self.op == "add" else x * noise
