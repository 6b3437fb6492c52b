"""Quantize: fewer levels, as of a bit crusher."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback

__all__ = ["Quantize"]

_SMALLEST = 1e-12


class Quantize(BendingCallback):
    """Rounds to the nearest of ``levels`` equally spaced values from ``-peak`` to ``peak``, ends included.

    ``bits`` stands for ``2**bits - 1`` levels, so that 0 is one of them (symmetric quantisation).
    An even number of levels has no 0: two levels give ``-peak`` and ``peak``, a square wave.
    Rounding has no gradient: it is 0 everywhere.

    Args:
        bits: at least 2; a number, a control or an expression, fractions too. Used when ``levels``
            is None.
        levels: at least 2; likewise.
        peak: the highest level; values beyond are clipped to it. None: the largest magnitude of
            the tensor, which changes with each input of an activation: give a number for a
            sound that is streamed in blocks.

    Shape: any, kept. Integers become float.

    Raises:
        CallbackError: fewer than two bits or levels, or a peak that is not positive.

    Example:
        >>> import torch, torchbend as tb
        >>> tb.Quantize(levels=5)(torch.tensor([0.1, 0.4, -1.0])).tolist()
        [0.0, 0.5, -1.0]
    """

    writes_in_place = False
    controllable_params = ("bits", "levels", "peak")

    def __init__(self, bits: Any = 4, levels: Any = None, peak: Any = None) -> None:
        super().__init__()
        self.register_controllable("bits", bits, low=2, high=52, optional=levels is not None)
        self.register_controllable("levels", levels, low=2, optional=True)
        self.register_controllable("peak", peak, low=0, optional=True)
        if peak is not None and not bool(self.get("peak") > 0):
            raise self.wrong("peak", "a number over 0, or None", peak)

    def bend(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """The nearest levels."""
        if x.is_complex():
            return torch.complex(self.bend(x.real), self.bend(x.imag))
        if not x.is_floating_point():
            x = x.to(torch.get_default_dtype())
        if x.numel() == 0:
            return x
        peak = x.detach().abs().amax() if self.peak is None else self.get("peak")
        if isinstance(peak, Tensor):  # silence stays silence
            peak = torch.where(peak > 0, peak, torch.ones_like(peak))
        else:
            peak = max(peak, _SMALLEST)
        # in 0 .. intervals, where also an even number of levels falls on integers
        intervals = self._intervals()
        unit = (x / peak).clamp(-1, 1).float() if x.dtype.itemsize < 4 else (x / peak).clamp(-1, 1)
        half = intervals / 2
        steps = torch.round((unit + 1) * half) - half
        out: Tensor = steps / half * peak
        return out.to(x.dtype)

    def _intervals(self) -> Any:
        """How many steps lie between ``-peak`` and ``peak``: one less than the levels."""
        levels = self.get("levels")
        if levels is None:
            levels = 2 ** self.get("bits") - 1
        if isinstance(levels, Tensor):
            return torch.floor(levels - 1).clamp(min=1)
        return max(math.floor(levels) - 1, 1)
