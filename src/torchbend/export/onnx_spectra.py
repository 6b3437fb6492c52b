"""Fourier transforms of a fixed size, written to ONNX.

Short ones are products with a matrix of cosines and sines, which is in the file.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torchbend.export.onnx_arithmetic import ARITHMETIC
from torchbend.export.onnx_tensors import TENSORS
from torchbend.export.onnx_write import Complex, Handler, Writer, unwritable
from torchbend.export.sized import Size, Step

__all__ = ["SPECTRA"]

_LONGEST = 512
"""Of the transforms that are products with a matrix."""


def _waves(size: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines ``[size, size // 2 + 1]`` of time by frequency, in float64."""
    turns = torch.outer(torch.arange(size), torch.arange(size // 2 + 1)) % size
    angle = 2 * math.pi * turns.double() / size
    return angle.cos(), angle.sin()


def _factor(normalisation: int, size: int) -> float:
    return (1.0, float(size) ** -0.5, 1 / size)[normalisation]


def _size_of(w: Writer, x: Any, dims: list[int]) -> int:
    shape = w.shape(x.real if isinstance(x, Complex) else x)
    size = shape[-1]
    if len(dims) != 1 or dims[0] % len(shape) != len(shape) - 1 or isinstance(size, Size):
        raise unwritable("a Fourier transform of another dimension than the last, or of any size")
    return size


def _to_spectrum(w: Writer, step: Step, x: Any, dims: list[int], norm: int, onesided: bool) -> Any:
    size = _size_of(w, x, dims)
    if not onesided:
        raise unwritable("aten._fft_r2c: two sides")
    factor, dtype = _factor(norm, size), w.dtype(x)
    if size > _LONGEST:
        if w.opset < 20 or factor != 1:
            raise unwritable("aten._fft_r2c: opset, or normalised")
        both = w.op("DFT", w.op("Unsqueeze", x, w.whole(-1)), None, torch.tensor(-2), onesided=1)
        return Complex(*(w.op("Gather", both, torch.tensor(k), axis=-1) for k in (0, 1)))
    cosines, sines = _waves(size)
    return Complex(
        w.op("MatMul", x, (factor * cosines).to(dtype)), w.op("MatMul", x, (-factor * sines).to(dtype))
    )


def _to_signal(w: Writer, step: Step, x: Any, dims: list[int], norm: int, size: int) -> Any:
    if not isinstance(x, Complex) or _size_of(w, x, dims) != size // 2 + 1 or size > _LONGEST:
        raise unwritable("aten._fft_c2r: a spectrum of another size")
    cosines, sines = _waves(size)
    twice = torch.full((size // 2 + 1,), 2.0, dtype=torch.float64)
    twice[0] = 1.0
    if size % 2 == 0:
        twice[-1] = 1.0
    factor, dtype = _factor(norm, size) * twice, step.node.meta["val"].dtype
    made = w.op("MatMul", x.real, (factor * cosines).T.to(dtype).contiguous())
    if x.imag is None:
        return made
    return w.op("Sub", made, w.op("MatMul", x.imag, (factor * sines).T.to(dtype).contiguous()))


def _multiplied(w: Writer, step: Step, a: Any, b: Any) -> Any:
    if not isinstance(a, Complex) and not isinstance(b, Complex):
        return ARITHMETIC["aten.mul.Tensor"](w, step, a, b)
    if not isinstance(a, Complex) or not isinstance(b, Complex) or a.imag is None or b.imag is None:
        raise unwritable("aten.mul: a complex number and another one")
    real = w.op("Sub", w.op("Mul", a.real, b.real), w.op("Mul", a.imag, b.imag))
    imag = w.op("Add", w.op("Mul", a.real, b.imag), w.op("Mul", a.imag, b.real))
    return Complex(real, imag)


def _of_parts(name: str) -> Handler:
    """What acts on the real and the imaginary part alike."""

    def write(w: Writer, step: Step, x: Any, *rest: Any) -> Any:
        handler = (ARITHMETIC | TENSORS)[name]
        if not isinstance(x, Complex):
            return handler(w, step, x, *rest)
        if x.imag is None or any(isinstance(r, Complex) for r in rest):
            raise unwritable(f"{name} of these complex numbers")
        return Complex(handler(w, step, x.real, *rest), handler(w, step, x.imag, *rest))

    return write


def _divided(w: Writer, step: Step, a: Any, b: Any) -> Any:
    if not isinstance(a, Complex):
        return ARITHMETIC["aten.div.Tensor"](w, step, a, b)
    if a.imag is None or isinstance(b, Complex) or isinstance(b, Tensor) and b.is_complex():
        raise unwritable("aten.div of these complex numbers")
    divisor = w.to(b, w.dtype(a.real))
    return Complex(w.op("Div", a.real, divisor), w.op("Div", a.imag, divisor))


def _magnitude(w: Writer, step: Step, x: Any) -> Any:
    if not isinstance(x, Complex):
        return ARITHMETIC["aten.abs.default"](w, step, x)
    if x.imag is None:
        return w.op("Abs", x.real)
    return w.op("Sqrt", w.op("Add", *(w.op("Mul", part, part) for part in (x.real, x.imag))))


def _cast(w: Writer, step: Step, x: Any) -> Any:
    dtype = step.node.meta["val"].dtype
    if isinstance(x, Complex):
        raise unwritable("aten._to_copy: a complex number")
    return Complex(x, None) if dtype == torch.complex64 else w.to(x, dtype)


SPECTRA: dict[str, Handler] = {
    "aten._fft_r2c.default": _to_spectrum,
    "aten._fft_c2r.default": _to_signal,
    "aten.mul.Tensor": _multiplied,
    "aten.div.Tensor": _divided,
    "aten.abs.default": _magnitude,
    "aten.transpose.int": _of_parts("aten.transpose.int"),
    "aten._to_copy.default": _cast,
}
"""What writes an operation, by its name; these go before others of the same name."""
