"""Weight norm that stands bends: a direction that a bend takes away gives zero, not a division by zero.

Salimans and Kingma, "Weight Normalization" (arXiv 1602.07868), equation 2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

__all__ = ["WeightNorm", "keep_finite"]


class WeightNorm(nn.Module):
    """A weight out of its two parts, as torch's own; zero where a direction has no length.

    Args:
        dim: along which each entry has a length of its own.
    """

    def __init__(self, dim: int = 0) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, lengths: Tensor, directions: Tensor) -> Tensor:
        """Shape: directions as the weight, lengths the same with 1 in all dimensions but ``dim``."""
        weight = torch._weight_norm(directions, lengths, self.dim)
        return weight.masked_fill(torch.norm_except_dim(directions, 2, self.dim) == 0, 0.0)


def keep_finite(module: nn.Module) -> None:
    """Put `WeightNorm` in the place of torch's, in all layers; weights keep their names and values."""
    for part in module.modules():
        if parametrize.is_parametrized(part, "weight"):
            made: Any = part.parametrizations["weight"]  # type: ignore[index]
            for index, norm in enumerate(made):
                if type(norm).__name__ == "_WeightNorm":
                    made[index] = WeightNorm(norm.dim)
