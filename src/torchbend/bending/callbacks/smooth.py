"""Smooth: a moving average, or a one-pole low-pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks.axes import checked_dim, resolved_dim
from torchbend.bending.site_state import SiteState

__all__ = ["Smooth"]

_INAUDIBLE = 1e-9


class Smooth(BendingCallback):
    """Smooths along a dimension. A constant stays what it is.

    Without ``pole``: the mean of the ``length`` values around each one (of those that exist, near
    the ends). With ``pole``: ``y[n] = (1 - pole) * x[n] + pole * y[n - 1]``, from ``y[0] = x[0]``
    in each call.

    Args:
        length: of the average, at least 1; a number (rounded), a control or an expression.
        pole: in [0, 1), towards 1 the smoother; a number, a control or an expression.
        dim: to smooth along; the last one (time) by default.

    Shape: any, kept. Integers become float.

    Raises:
        CallbackError: ``length`` is under 1, ``pole`` is outside [0, 1), or ``dim`` is not a
            dimension of the tensor.
    """

    writes_in_place = False
    controllable_params = ("length", "pole")

    def __init__(self, length: Any = 9, pole: Any = None, dim: int = -1) -> None:
        super().__init__()
        self.register_controllable("length", length, low=1, high=2**31)
        self.register_controllable("pole", pole, low=0, high=1, optional=True)
        if pole is not None and not bool(self.get("pole") < 1):
            raise self.wrong("pole", "a number under 1", pole)
        self.dim = checked_dim(self, dim, optional=False)

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` smoothed."""
        if x.dim() == 0 or x.numel() == 0:
            return x
        dim = resolved_dim(self, x, site, self.dim)
        if not (x.is_floating_point() or x.is_complex()):
            x = x.to(torch.get_default_dtype())
        moved = x.movedim(dim, -1)
        smoothed = self._average(moved) if self.pole is None else self._one_pole(moved)
        return smoothed.movedim(-1, dim)

    def _average(self, x: Tensor) -> Tensor:
        if x.is_complex():
            return torch.complex(self._average(x.real), self._average(x.imag))
        size = x.shape[-1]
        # a longer window than this sees all values from everywhere
        length = min(max(round(float(self.get("length"))), 1), 2 * size)
        rows = x.reshape(1, -1, size)
        mean = functional.avg_pool1d(rows, length, stride=1, padding=length // 2, count_include_pad=False)
        return mean[..., :size].reshape(x.shape)

    def _one_pole(self, x: Tensor) -> Tensor:
        pole = self.get("pole")
        pole = pole.clamp(0, 1) if isinstance(pole, Tensor) else min(max(pole, 0.0), 1.0)
        y = torch.cat([x[..., :1], x[..., 1:] * (1 - pole)], dim=-1)
        # After the pass for a distance d, y[n] is the sum over the last 2d inputs: log2(N) passes
        # instead of N steps.
        distance, factor = 1, pole
        while distance < x.shape[-1]:
            if not isinstance(factor, Tensor) and factor < _INAUDIBLE:
                break
            y = torch.cat([y[..., :distance], y[..., distance:] + factor * y[..., :-distance]], dim=-1)
            distance, factor = 2 * distance, factor * factor
        return y
