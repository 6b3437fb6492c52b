"""What is handed to a figure as plain numbers; what cannot be drawn is refused in plain words."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dandb.figures.chart import Array
from torchbend.errors import ShapeError, TorchbendError

__all__ = ["blanked", "joined", "limits_of", "numbers", "wrong_shape"]


def numbers(x: object, site: str) -> Array:
    """Numbers of a tensor, of an array or of nested lists, on the CPU.

    Args:
        x: any device, any real type; gradients are left behind.
        site: the argument's name.

    Returns:
        float32, or float64 where the numbers are of 64 bits; never a view that the caller can write through.

    Raises:
        TorchbendError: they are complex, or no numbers; a meta tensor.
        ShapeError: there is not one number.
    """
    if isinstance(x, Tensor):
        found = _of_tensor(x, site)
    else:
        try:
            found = np.asarray(x)
        except ValueError as error:
            raise _no_numbers(site, "nested lists of different lengths") from error
    if found.dtype.kind not in "fiub":
        raise _no_numbers(site, f"{found.dtype} {list(found.shape)}" if found.ndim else type(x).__name__)
    if found.size == 0:
        raise ShapeError(
            "there is nothing to draw", site=site, wanted="one number at least", got=list(found.shape)
        )
    return found.astype(np.float64 if found.dtype.itemsize >= 8 else np.float32)


def blanked(x: Array) -> tuple[Array, str]:
    """The numbers with NaN in place of infinities, and a sentence that tells how many were not finite.

    >>> blanked(np.array([1.0, np.inf, np.nan]))[1]
    '2 of 3 values are NaN or infinite: left blank.'
    """
    finite = np.isfinite(x)
    if finite.all():
        return x, ""
    count = x.size - int(finite.sum())
    return np.where(finite, x, np.nan), f"{count:,} of {x.size:,} values are NaN or infinite: left blank."


def limits_of(x: Array) -> tuple[float, float]:
    """The least and the largest value that is not NaN; 0 and 0 where there is none."""
    found = x[np.isfinite(x)]
    return (float(found.min()), float(found.max())) if found.size else (0.0, 0.0)


def joined(*sentences: str) -> str:
    """The sentences that are not empty, one after the other."""
    return " ".join(sentence for sentence in sentences if sentence)


def wrong_shape(site: str, wanted: str, got: tuple[int, ...], next_step: str | None = None) -> ShapeError:
    """The error for numbers of a shape that a figure does not know."""
    return ShapeError("no figure of this shape", site=site, wanted=wanted, got=list(got), next_step=next_step)


def _of_tensor(x: Tensor, site: str) -> Array:
    if x.is_meta:
        raise _no_numbers(site, f"a meta tensor {list(x.shape)}, which holds no numbers")
    if x.is_complex():
        raise _no_numbers(site, f"{x.dtype} {list(x.shape)}")
    x = x.detach()
    x = x.dequantize() if x.is_quantized else x
    x = x.to_dense() if x.layout != torch.strided else x
    wide = x.dtype in (torch.float64, torch.int64)
    found: Array = x.to("cpu", torch.float64 if wide else torch.float32).numpy()
    return found


def _no_numbers(site: str, got: str) -> TorchbendError:
    return TorchbendError(
        "these are no numbers that can be drawn",
        site=site,
        wanted="real numbers: a tensor, a numpy array or nested lists",
        got=got,
        next_step="of complex numbers draw the modulus: x.abs()" if "complex" in got else None,
    )
