"""Weight normalisation that costs nothing while its parts stay the same.

A normalised weight is ``w = g * v / ||v||``, the norm over all dimensions but the first (Salimans and Kingma,
arXiv 1602.07868). The parts are parameters under their own names, ``weight_g`` and ``weight_v``; the weight
itself is computed at first use and kept until a part is changed or exchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Normalised", "channels_last", "split_weight"]


def split_weight(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The parts ``(weight_g, weight_v)`` whose normalised product is ``weight``.

    Args:
        weight: shape ``[n, ...]``.

    Returns:
        ``weight_g``, shape ``[n, 1, ...]``, and ``weight_v``, the weight itself.
    """
    return torch.norm_except_dim(weight, 2, 0), weight


def channels_last(weight: Tensor) -> Tensor:
    """The same 1-D kernel with the channels next to each other in memory: faster on short signals.

    Args:
        weight: shape ``[out, in, kernel]``.
    """
    out, channels, kernel = weight.shape
    laid = torch.empty_strided(
        (out, channels, kernel), (channels * kernel, 1, channels), dtype=weight.dtype, device=weight.device
    )
    return laid.copy_(weight)


class _Fold(NamedTuple):
    """A computed weight, and what it was computed from."""

    sources: tuple[Any, ...]
    weight: Tensor

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        return None

    def __reduce__(self) -> Any:
        return (type(None), ())


def _normalised(v: Tensor, g: Tensor) -> Tensor:
    """The product of the parts; zero where a bend has made all of ``v`` zero, which has no direction."""
    return torch._weight_norm(v, g, 0).masked_fill(torch.norm_except_dim(v, 2, 0) == 0, 0.0)


def _mark(tensor: Tensor) -> int:
    """Changes when the values of a tensor are changed in place."""
    return 0 if tensor.is_inference() else tensor._version


class Normalised(nn.Module):
    """Gives a convolution a normalised ``weight`` made of ``weight_g`` and ``weight_v``.

    Whoever puts another tensor in the place of a part gets the weight that belongs to it. ``given_weight``,
    when set, stands for the whole weight. Edits that PyTorch cannot see (through ``.data``, or by a fused
    optimiser) need `forget`.
    """

    computed_weights: ClassVar[dict[str, tuple[str, ...]]] = {"weight": ("weight_g", "weight_v")}
    """The weights that are computed, and their parts."""

    weight_g: nn.Parameter
    weight_v: nn.Parameter

    def make_weight(self, initial: Tensor) -> None:
        """Register the parts of ``initial``."""
        g, v = split_weight(initial)
        self.weight_g = nn.Parameter(g)
        self.weight_v = nn.Parameter(v)
        self.__dict__.update(given_weight=None, lay_out=None, _fold=None)

    @property
    def weight(self) -> Tensor:
        """The normalised weight; with a fresh graph wherever gradients are wanted."""
        held, own = self._parameters, self.__dict__
        g, v, given = held["weight_g"], held["weight_v"], own["given_weight"]
        if g is None or v is None:
            raise AttributeError("a normalised weight lacks its parts")
        source = v if given is None else given
        if torch.is_grad_enabled() and (source.requires_grad or (given is None and g.requires_grad)):
            return torch._weight_norm(v, g, 0) if given is None else source
        fold, layout = own["_fold"], own["lay_out"]
        marks = (layout, _mark(source), None if given is not None else _mark(g))
        if (
            fold is not None
            and fold.sources[0] is source
            and fold.sources[1] is g
            and fold.sources[2] == marks
        ):
            kept: Tensor = fold.weight
            return kept
        with torch.no_grad():
            weight = _normalised(v, g) if given is None else source
            weight = weight if layout is None else layout(weight)
        own["_fold"] = _Fold((source, g, marks), weight)
        return weight

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Normalised:
        self.forget()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def forget(self) -> None:
        """Drop the computed weight: the next use computes it anew."""
        self.__dict__["_fold"] = None
