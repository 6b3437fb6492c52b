"""Normalised weights, put together out of their two parts.

Salimans and Kingma, "Weight Normalization", 2016, arXiv 1602.07868, equation 2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from torchbend.errors import WeightsFileError

__all__ = ["fold", "folded"]

_PARTS = re.compile(r"(.*)\.(?:(weight)_[gv]|parametrizations\.(weight)\.original[01])")
_OURS = {"original0": "g", "original1": "v", "weight_g": "g", "weight_v": "v"}


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
    torch's newer way. A direction of length zero gives a weight of zero.

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
            parts.setdefault(f"{found.group(1)}.weight", {})[_OURS[ending]] = tensor
    for name, pair in parts.items():
        if set(pair) != {"g", "v"}:
            raise WeightsFileError(
                "one half of a normalised weight is missing", site=name, wanted="both", got=", ".join(pair)
            )
        norm = torch.norm_except_dim(pair["v"], 2, 0)
        whole[name] = torch.where(norm == 0, 0.0, torch._weight_norm(pair["v"], pair["g"], 0))
    return whole
