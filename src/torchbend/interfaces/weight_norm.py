"""Normalised weights: put together out of their two parts, or kept in them and safe to bend.

Salimans and Kingma, "Weight Normalization", 2016, arXiv 1602.07868, equation 2. A direction without length,
which a bend may leave, gives a weight of zero and not a division by zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from torchbend.errors import WeightsFileError

__all__ = ["WeightNorm", "fold", "folded", "keep_finite"]

_PARTS = re.compile(r"(.*)\.(?:(weight)_[gv]|parametrizations\.(weight)\.original[01])")
_HALVES = {"original0": "g", "original1": "v", "weight_g": "g", "weight_v": "v"}


def fold(module: nn.Module) -> nn.Module:
    """Put the normalised weights of a module together, in place; what it computes stays the same.

    Args:
        module: whose layers are changed.
    """
    for part in list(module.modules()):
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight")
    return module


def folded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with each normalised one whole, not in the two parts of weight norm.

    ``x.weight_g`` (lengths) and ``x.weight_v`` (directions) become ``x.weight``; so do their names in
    torch's newer way.

    Args:
        weights: tensors by name.
    """
    whole: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in weights.items():
        found = _PARTS.fullmatch(name)
        if found is None:
            whole[name] = tensor
        else:
            ending = name.rsplit(".", 1)[-1]
            parts.setdefault(f"{found.group(1)}.weight", {})[_HALVES[ending]] = tensor
    for name, pair in parts.items():
        if set(pair) != {"g", "v"}:
            raise WeightsFileError(
                "one half of a normalised weight is missing", site=name, wanted="both", got=", ".join(pair)
            )
        whole[name] = _joined(pair["g"], pair["v"], 0)
    return whole


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
        return _joined(lengths, directions, self.dim)


def keep_finite(module: nn.Module) -> None:
    """Put `WeightNorm` in the place of torch's, in all layers; weights keep their names and values."""
    for part in module.modules():
        if parametrize.is_parametrized(part, "weight"):
            made: Any = part.parametrizations["weight"]  # type: ignore[index]
            for index, norm in enumerate(made):
                if type(norm).__name__ == "_WeightNorm":
                    made[index] = WeightNorm(norm.dim)


def _joined(lengths: Tensor, directions: Tensor, dim: int) -> Tensor:
    weight = torch._weight_norm(directions, lengths, dim)
    return weight.masked_fill(torch.norm_except_dim(directions, 2, dim) == 0, 0.0)
