"""Arithmetic of torch, written to ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from torchbend.export.onnx_write import Handler, Writer, unwritable
from torchbend.export.sized import Step

__all__ = ["ARITHMETIC"]

_UNARY = {
    "sin": "Sin", "cos": "Cos", "tan": "Tan", "tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu",
    "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "neg": "Neg", "abs": "Abs", "sign": "Sign",
    "floor": "Floor", "ceil": "Ceil", "round": "Round", "reciprocal": "Reciprocal", "erf": "Erf",
    "atan": "Atan", "asin": "Asin",
    "acos": "Acos", "sinh": "Sinh", "cosh": "Cosh",
}  # fmt: skip
_BINARY = {"mul": "Mul", "maximum": "Max", "minimum": "Min"}
_COMPARED = {"eq": "Equal", "lt": "Less", "gt": "Greater", "le": "LessOrEqual", "ge": "GreaterOrEqual"}
_LOGICAL = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}
_REDUCED = {
    "sum.dim_IntList": "ReduceSum",
    "mean.dim": "ReduceMean",
    "amax": "ReduceMax",
    "amin": "ReduceMin",
}


def _dtype(step: Step) -> torch.dtype:
    found: torch.dtype = step.node.meta["val"].dtype
    return found


def _unary(kind: str) -> Handler:
    def write(w: Writer, step: Step, x: Any) -> Any:
        return w.op(kind, w.to(x, _dtype(step)))

    return write


def _binary(kind: str) -> Handler:
    def write(w: Writer, step: Step, a: Any, b: Any) -> Any:
        dtype = _dtype(step)
        return w.op(kind, w.to(a, dtype), w.to(b, dtype))

    return write


def _sum(kind: str) -> Handler:
    """Of two, the second one with a factor."""

    def write(w: Writer, step: Step, a: Any, b: Any, alpha: Any = 1) -> Any:
        dtype = _dtype(step)
        second = w.to(b, dtype)
        second = second if alpha == 1 else w.op("Mul", second, w.to(alpha, dtype))
        return w.op(kind, w.to(a, dtype), second)

    return write


def _compared(kind: str, turned: bool = False) -> Handler:
    def write(w: Writer, step: Step, a: Any, b: Any) -> Any:
        kinds = [v if isinstance(v, int | float) else torch.zeros((1,), dtype=w.dtype(v)) for v in (a, b)]
        dtype = torch.result_type(kinds[0], kinds[1])
        made = w.op(kind, w.to(a, dtype), w.to(b, dtype))
        return w.op("Not", made) if turned else made

    return write


def _logical(kind: str) -> Handler:
    def write(w: Writer, step: Step, a: Any, b: Any) -> Any:
        return w.op(kind, w.to(a, torch.bool), w.to(b, torch.bool))

    return write


def _divided(w: Writer, step: Step, a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    dtype = _dtype(step)
    if rounding_mode not in (None, "floor") or not dtype.is_floating_point:
        raise unwritable(f"{step.node.target}: {rounding_mode}")
    made = w.op("Div", w.to(a, dtype), w.to(b, dtype))
    return made if rounding_mode is None else w.op("Floor", made)


def _remainder(w: Writer, step: Step, a: Any, b: Any) -> Any:
    dtype = _dtype(step)
    if not dtype.is_floating_point:
        return w.op("Mod", w.to(a, dtype), w.to(b, dtype))
    x, y = w.to(a, dtype), w.to(b, dtype)
    return w.op("Sub", x, w.op("Mul", w.op("Floor", w.op("Div", x, y)), y))


def _subtracted_from(w: Writer, step: Step, a: Any, b: Any, alpha: Any = 1) -> Any:
    return _sum("Sub")(w, step, b, a) if alpha == 1 else _sum("Sub")(w, step, b, a, alpha)


def _power(w: Writer, step: Step, a: Any, b: Any) -> Any:
    dtype = _dtype(step)
    if b == 2 and not isinstance(b, torch.Tensor):
        x = w.to(a, dtype)
        return w.op("Mul", x, x)
    return w.op("Pow", w.to(a, dtype), w.to(b, dtype))


def _rsqrt(w: Writer, step: Step, x: Any) -> Any:
    return w.op("Reciprocal", w.op("Sqrt", x))


def _log1p(w: Writer, step: Step, x: Any) -> Any:
    dtype = _dtype(step)
    return w.op("Log", w.op("Add", w.to(x, dtype), w.to(1, dtype)))


def _silu(w: Writer, step: Step, x: Any) -> Any:
    return w.op("Mul", x, w.op("Sigmoid", x))


def _leaky_relu(w: Writer, step: Step, x: Any, slope: float = 0.01) -> Any:
    return w.op("LeakyRelu", x, alpha=float(slope))


def _elu(w: Writer, step: Step, x: Any, alpha: Any = 1, scale: Any = 1, input_scale: Any = 1) -> Any:
    if scale != 1 or input_scale != 1:
        raise unwritable("aten.elu: scales")
    return w.op("Elu", x, alpha=float(alpha))


def _gelu(w: Writer, step: Step, x: Any, approximate: str = "none") -> Any:
    if w.opset < 20:
        raise unwritable("aten.gelu: opset")
    return w.op("Gelu", x, approximate=approximate)


def _softplus(w: Writer, step: Step, x: Any, beta: Any = 1, threshold: Any = 20) -> Any:
    if beta == 1:
        return w.op("Softplus", x)
    factor = w.to(float(beta), _dtype(step))
    return w.op("Div", w.op("Softplus", w.op("Mul", x, factor)), factor)


def _clamp(w: Writer, step: Step, x: Any, low: Any = None, high: Any = None) -> Any:
    dtype = _dtype(step)
    made = w.to(x, dtype)
    made = made if low is None else w.op("Max", made, w.to(low, dtype))
    return made if high is None else w.op("Min", made, w.to(high, dtype))


def _where(w: Writer, step: Step, condition: Any, a: Any, b: Any) -> Any:
    dtype = _dtype(step)
    return w.op("Where", condition, w.to(a, dtype), w.to(b, dtype))


def _reduced(kind: str) -> Handler:
    def write(w: Writer, step: Step, x: Any, dims: Any = None, keepdim: bool = False) -> Any:
        given = w.to(x, _dtype(step))
        listed = [dims] if isinstance(dims, int) else list(dims or range(len(w.shape(x))))
        return w.op(kind, given, w.whole(*listed), keepdims=int(keepdim))

    return write


def _norm(w: Writer, step: Step, x: Any, order: Any = 2, dims: Any = None, keepdim: bool = False) -> Any:
    if order not in (1, 2):
        raise unwritable(f"aten.linalg_vector_norm: order {order}")
    return _reduced(f"ReduceL{int(order)}")(w, step, x, dims, keepdim)


def _whole_mean(w: Writer, step: Step, x: Any) -> Any:
    return _reduced("ReduceMean")(w, step, x)


def _whole_sum(w: Writer, step: Step, x: Any) -> Any:
    return _reduced("ReduceSum")(w, step, x)


def _softmax(w: Writer, step: Step, x: Any, dim: int, half: bool) -> Any:
    return w.op("Softmax", x, axis=dim)


def _running(w: Writer, step: Step, x: Any, dim: int) -> Any:
    return w.op("CumSum", w.to(x, _dtype(step)), torch.tensor(dim))


def _place(kind: str) -> Handler:
    def write(w: Writer, step: Step, x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            raise unwritable(str(step.node.target))
        return w.op(kind, x, axis=dim, keepdims=int(keepdim))

    return write


def _product(w: Writer, step: Step, a: Any, b: Any) -> Any:
    return w.op("MatMul", a, b)


def _added_product(w: Writer, step: Step, c: Any, a: Any, b: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    if (alpha, beta) != (1, 1):
        raise unwritable("aten.addmm: factors")
    return w.op("Add", w.op("MatMul", a, b), c)


def _table() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    found |= {f"aten.{name}.default": _unary(kind) for name, kind in _UNARY.items()}
    for ending in ("Tensor", "Scalar"):
        found |= {f"aten.{name}.{ending}": _binary(kind) for name, kind in _BINARY.items()}
        found |= {f"aten.{name}.{ending}": _compared(kind) for name, kind in _COMPARED.items()}
        found |= {f"aten.add.{ending}": _sum("Add"), f"aten.sub.{ending}": _sum("Sub")}
        found |= {f"aten.ne.{ending}": _compared("Equal", True), f"aten.div.{ending}": _divided}
        found |= {f"aten.remainder.{ending}": _remainder, f"aten.rsub.{ending}": _subtracted_from}
    found |= {f"aten.{name}.default": _binary(_BINARY[name]) for name in ("maximum", "minimum")}
    found |= {f"aten.{name}.default": _logical(kind) for name, kind in _LOGICAL.items()}
    found |= {f"aten.{name}": _reduced(kind) for name, kind in _REDUCED.items() if "." in name}
    found |= {f"aten.{name}.default": _reduced(_REDUCED[name]) for name in ("amax", "amin")}
    return found


ARITHMETIC: dict[str, Handler] = {
    **_table(),
    "aten.div.Tensor_mode": _divided,
    "aten.div.Scalar_mode": _divided,
    "aten.pow.Tensor_Scalar": _power,
    "aten.pow.Tensor_Tensor": _power,
    "aten.pow.Scalar": _power,
    "aten.rsqrt.default": _rsqrt,
    "aten.log1p.default": _log1p,
    "aten.silu.default": _silu,
    "aten.leaky_relu.default": _leaky_relu,
    "aten.elu.default": _elu,
    "aten.gelu.default": _gelu,
    "aten.softplus.default": _softplus,
    "aten.clamp.default": _clamp,
    "aten.clamp.Tensor": _clamp,
    "aten.clamp_min.default": _clamp,
    "aten.hardtanh.default": _clamp,
    "aten.where.self": _where,
    "aten.linalg_vector_norm.default": _norm,
    "aten.mean.default": _whole_mean,
    "aten.sum.default": _whole_sum,
    "aten._softmax.default": _softmax,
    "aten.cumsum.default": _running,
    "aten.argmin.default": _place("ArgMin"),
    "aten.argmax.default": _place("ArgMax"),
    "aten.mm.default": _product,
    "aten.bmm.default": _product,
    "aten.addmm.default": _added_product,
}
"""What writes an operation, by its name."""
