"""Convolutions, shapes, parts and new tensors of torch, written to ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from torchbend.export.onnx_write import Handler, Writer, unwritable
from torchbend.export.sized import Size, Step

__all__ = ["TENSORS"]

_END = 2**63 - 1


def _dtype(step: Step) -> torch.dtype:
    found: torch.dtype = step.node.meta["val"].dtype
    return found


def _same(w: Writer, step: Step, x: Any, *_: Any) -> Any:
    return x


# -- layers ------------------------------------------------------------------------------------------------


def _convolution(
    w: Writer, step: Step, x: Any, kernel: Any, bias: Any, stride: list[int], padding: list[int],
    dilation: list[int], transposed: bool, output_padding: list[int], groups: int,
) -> Any:  # fmt: skip
    inputs = [x, kernel] if bias is None else [x, kernel, bias]
    sizes = w.shape(kernel)[2:]
    if not all(isinstance(n, int) for n in (*sizes, *stride, *padding, *dilation)):
        raise unwritable("aten.convolution: a kernel of any size")
    options: dict[str, Any] = {
        "strides": stride, "pads": padding * 2, "dilations": dilation, "group": groups,
        "kernel_shape": list(sizes),
    }  # fmt: skip
    if transposed:
        return w.op("ConvTranspose", *inputs, **options, output_padding=output_padding)
    return w.op("Conv", *inputs, **options)


def _batch_norm(w: Writer, step: Step, x: Any, scale: Any, bias: Any, mean: Any, var: Any, *rest: Any) -> Any:
    *training, _, eps = rest
    if any(training) or mean is None or var is None:
        raise unwritable("a batch norm in training")
    scale = torch.ones_like(mean) if scale is None else scale
    bias = torch.zeros_like(mean) if bias is None else bias
    made = w.op("BatchNormalization", x, scale, bias, mean, var, epsilon=float(eps))
    w.know(made, w.shape(x), w.dtype(x))
    return [made, None, None]


def _layer_norm(w: Writer, step: Step, x: Any, shape: list[int], scale: Any, bias: Any, eps: float) -> Any:
    if scale is None:
        scale = torch.ones(shape)
    inputs = [x, scale] if bias is None else [x, scale, bias]
    made = w.op("LayerNormalization", *inputs, axis=-len(shape), epsilon=float(eps))
    w.know(made, w.shape(x), w.dtype(x))
    return [made, None, None]


def _gru(w: Writer, step: Step, x: Any, hidden: Any, weights: list[Any]) -> Any:
    """ONNX has the gates in another order: update, reset, new."""
    if not all(isinstance(t, torch.Tensor) for t in weights):
        raise unwritable("a recurrent layer whose weights move")
    size = weights[1].shape[1]
    order = [*range(size, 2 * size), *range(size), *range(2 * size, 3 * size)]
    into, back = (t[order][None] for t in weights[:2])
    given = [torch.cat([t[order] for t in weights[2:]])[None]] if weights[2:] else [None]
    outputs = w.op(
        "GRU", x, into, back, *given, None, hidden, outputs=2, hidden_size=size, linear_before_reset=1
    )
    frames = w.op("Squeeze", outputs[0], w.whole(1))
    w.know(frames, (*w.shape(x)[:2], size), w.dtype(x))
    w.know(outputs[1], w.shape(hidden), w.dtype(x))
    return [frames, outputs[1]]


def _embedding(w: Writer, step: Step, table: Any, index: Any, *_: Any) -> Any:
    return w.op("Gather", table, index, axis=0)


# -- shapes ------------------------------------------------------------------------------------------------


def _reshaped(w: Writer, step: Step, x: Any, *_: Any) -> Any:
    shape = list(step.shape or ())
    if 0 in shape:
        raise unwritable(f"{step.node.target}: an empty tensor")
    moving = [k for k, size in enumerate(shape) if isinstance(size, Size)]
    if len(moving) == 1:
        shape[moving[0]] = -1
    return w.op("Reshape", x, w.sizes(shape))


def _permuted(w: Writer, step: Step, x: Any, dims: list[int]) -> Any:
    return w.op("Transpose", x, perm=[d % len(dims) for d in dims])


def _swapped(w: Writer, step: Step, x: Any, a: int = 0, b: int = 1) -> Any:
    count = len(w.shape(x))
    if count < 2:
        return x
    perm = list(range(count))
    perm[a % count], perm[b % count] = perm[b % count], perm[a % count]
    return w.op("Transpose", x, perm=perm)


def _unsqueezed(w: Writer, step: Step, x: Any, dim: int) -> Any:
    return w.op("Unsqueeze", x, w.whole(dim % (len(w.shape(x)) + 1)))


def _expanded(w: Writer, step: Step, x: Any, *_: Any) -> Any:
    return x if w.shape(x) == step.shape else w.op("Expand", x, w.sizes(list(step.shape or ())))


def _repeated(w: Writer, step: Step, x: Any, times: list[int | Size]) -> Any:
    more = len(times) - len(w.shape(x))
    if more:
        x = w.op("Unsqueeze", x, w.whole(*range(more)))
    return w.op("Tile", x, w.sizes(times))


def _flipped(w: Writer, step: Step, x: Any, dims: list[int]) -> Any:
    count = len(dims)
    return w.op(
        "Slice", x, w.whole(*[-1] * count), w.whole(*[-_END] * count), w.whole(*dims), w.whole(*[-1] * count)
    )


def _rolled(w: Writer, step: Step, x: Any, shifts: list[int], dims: list[int]) -> Any:
    if len(shifts) != 1 or len(dims) != 1 or not all(isinstance(s, int) for s in shifts):
        raise unwritable("aten.roll: of all, or by any number")
    size, (dim,) = w.shape(x)[dims[0]], dims
    if isinstance(size, Size) or not shifts[0] % size:
        raise unwritable("aten.roll: of any size")
    at = size - shifts[0] % size
    return w.op("Concat", _part(w, x, dim, at, None), _part(w, x, dim, 0, at), axis=dim)


def _joined(w: Writer, step: Step, parts: Sequence[Any], dim: int = 0) -> Any:
    dtype, rank = _dtype(step), len(step.shape or ())
    kept = [w.to(p, dtype) for p in parts if w.shape(p) != (0,) or rank == 1]
    return w.op("Concat", *kept, axis=dim)


def _stacked(w: Writer, step: Step, parts: Sequence[Any], dim: int = 0) -> Any:
    dtype, rank = _dtype(step), len(step.shape or ())
    single = [w.op("Unsqueeze", w.to(p, dtype), w.whole(dim % rank)) for p in parts]
    return w.op("Concat", *single, axis=dim % rank)


# -- parts -------------------------------------------------------------------------------------------------


def _less(size: int | Size, number: int | Size) -> int | None:
    """How much smaller a number is than a size, where that is always the same."""
    a = size if isinstance(size, Size) else Size(size, ())
    b = number if isinstance(number, Size) else Size(number, ())
    longest = max(len(a.slopes), len(b.slopes))
    slopes = [s.slopes + (0,) * (longest - len(s.slopes)) for s in (a, b)]
    return a.constant - b.constant if slopes[0] == slopes[1] else None


def _bound(size: int | Size, number: int | Size | None, default: int) -> int | Size:
    """A bound of a part: counted from the end where that makes it a number."""
    if number is None:
        return default
    if isinstance(number, int):
        return number
    left = _less(size, number)
    if left is None:
        return number
    return _END if left <= 0 else -left


def _part(w: Writer, x: Any, dim: int, start: Any, end: Any, step: int = 1) -> Any:
    size = w.shape(x)[dim]
    first, last = _bound(size, start, 0), _bound(size, end, _END)
    if first == 0 and last == _END and step == 1:
        return x
    axis = dim % len(w.shape(x))
    return w.op("Slice", x, w.sizes([first]), w.sizes([last]), w.whole(axis), w.whole(step))


def _slice(
    w: Writer, step: Step, x: Any, dim: int = 0, start: Any = None, end: Any = None, by: int = 1
) -> Any:
    return _part(w, x, dim, start, end, by)


def _exchanged(
    w: Writer, step: Step, x: Any, part: Any, dim: int = 0, start: Any = None, end: Any = None, by: int = 1
) -> Any:
    """A tensor with a part exchanged: parts put together."""
    if by != 1:
        raise unwritable("aten.slice_scatter: a step")
    size = w.shape(x)[dim]
    first, last = _bound(size, start, 0), _bound(size, end, _END)
    part = w.to(part, _dtype(step))
    before = [] if first == 0 else [_part(w, x, dim, 0, first)]
    after = [] if last in (_END, size) else [_part(w, x, dim, last, None)]
    parts = [*before, part, *after]
    return part if len(parts) == 1 else w.op("Concat", *parts, axis=dim % len(w.shape(x)))


def _windows(w: Writer, step: Step, x: Any, shape: list[Any], strides: list[Any], offset: Any = None) -> Any:
    """Frames that overlap, of signals ``[B, T]``: the only memory trick that is known here."""
    given, rows = step.node.args[0], w.shape(x)
    plain = isinstance(given, torch.fx.Node) and given.meta["val"].is_contiguous() and not offset
    if not plain or len(rows) != 2 or len(shape) != 3 or shape[0] != rows[0] or strides[0] != rows[1]:
        raise unwritable("aten.as_strided")
    if strides[2] != 1 or not isinstance(strides[1], int) or not isinstance(shape[2], int):
        raise unwritable("aten.as_strided: frames of any size")
    count = w.op("Squeeze", w.sizes([shape[1]]), w.whole(0))
    frames = w.op("Range", torch.tensor(0), count, torch.tensor(1))
    starts = w.op("Unsqueeze", w.op("Mul", frames, torch.tensor(strides[1])), w.whole(1))
    return w.op("Gather", x, w.op("Add", starts, torch.arange(shape[2])), axis=1)


def _split(w: Writer, step: Step, x: Any, sizes: Any, dim: int = 0) -> Any:
    shapes = [tuple(t.shape) for t in step.node.meta["val"]]
    listed = sizes if isinstance(sizes, list) else [shape[dim] for shape in shapes]
    whole = list(w.shape(x))
    if isinstance(whole[dim], Size) or not all(isinstance(s, int) for s in listed):
        raise unwritable("aten.split: parts of any size")
    found, at = [], 0
    for size in listed:
        made = _part(w, x, dim, at, at + size)
        whole[dim] = size
        w.know(made, tuple(whole), w.dtype(x))
        found.append(made)
        at += size
    return found


def _selected(w: Writer, step: Step, x: Any, dim: int, index: Any) -> Any:
    if isinstance(index, Size):
        raise unwritable("aten.select: a place that moves")
    return w.op("Gather", x, torch.tensor(index), axis=dim)


def _index_select(w: Writer, step: Step, x: Any, dim: int, index: Any) -> Any:
    return w.op("Gather", x, index, axis=dim)


def _padded(
    w: Writer, step: Step, x: Any, pad: list[int | Size], value: Any = 0, mode: str = "constant"
) -> Any:
    count, rank = len(pad) // 2, len(w.shape(x))
    ends: list[list[int | Size]] = [[0] * (rank - count), [0] * (rank - count)]
    for side in (0, 1):
        ends[side] += [pad[2 * k + side] for k in reversed(range(count))]
    number = [w.to(value, _dtype(step))] if mode == "constant" else []
    return w.op("Pad", x, w.sizes(ends[0] + ends[1]), *number, mode=mode)


def _reflected(w: Writer, step: Step, x: Any, pad: list[int | Size]) -> Any:
    return _padded(w, step, x, pad, mode="reflect")


def _held(w: Writer, step: Step, x: Any, pad: list[int | Size]) -> Any:
    return _padded(w, step, x, pad, mode="edge")


def _copied(w: Writer, step: Step, x: Any, other: Any) -> Any:
    """The first, overwritten with the second."""
    made = w.to(other, _dtype(step))
    return made if w.shape(other) == step.shape else w.op("Expand", made, w.sizes(list(step.shape or ())))


# -- new tensors -------------------------------------------------------------------------------------------


def _filled(value: float) -> Handler:
    def write(w: Writer, step: Step, *_: Any) -> Any:
        number = torch.tensor(value, dtype=_dtype(step))
        return w.op("Expand", number, w.sizes(list(step.shape or ())))

    return write


def _full(w: Writer, step: Step, _: Any, value: Any) -> Any:
    number = w.to(value, _dtype(step))
    return w.op("Expand", number, w.sizes(list(step.shape or ())))


def _range(w: Writer, step: Step, *bounds: Any) -> Any:
    if len(bounds) > 3 or _dtype(step) != torch.int64:
        raise unwritable("aten.arange: a range of floats")
    start, end, by = {1: (0, *bounds, 1), 2: (*bounds, 1)}.get(len(bounds), bounds)
    scalars = [w.op("Squeeze", w.sizes([n]), w.whole(0)) for n in (start, end, by)]
    return w.op("Range", *scalars)


def _noise(kind: str) -> Handler:
    def write(w: Writer, step: Step, *_: Any) -> Any:
        zeros = w.op("Expand", torch.zeros((), dtype=_dtype(step)), w.sizes(list(step.shape or ())))
        return w.op(kind, zeros)

    return write


TENSORS: dict[str, Handler] = {
    **dict.fromkeys(
        [f"aten.{n}.default" for n in ("clone", "alias", "detach", "lift_fresh_copy", "lift_fresh")], _same
    ),
    "aten.copy.default": _copied,
    "aten.convolution.default": _convolution,
    "aten.native_batch_norm.default": _batch_norm,
    "aten._native_batch_norm_legit_no_training.default": _batch_norm,
    "aten.native_layer_norm.default": _layer_norm,
    "torchbend.gru_layer.default": _gru,
    "aten.embedding.default": _embedding,
    **dict.fromkeys(
        ["aten.view.default", "aten._unsafe_view.default", "aten.reshape.default", "aten.squeeze.dim",
         "aten.squeeze.dims", "aten.squeeze.default"], _reshaped,
    ),
    "aten.permute.default": _permuted,
    "aten.transpose.int": _swapped,
    "aten.t.default": _swapped,
    "aten.unsqueeze.default": _unsqueezed,
    "aten.expand.default": _expanded,
    "aten.repeat.default": _repeated,
    "aten.flip.default": _flipped,
    "aten.roll.default": _rolled,
    "aten.cat.default": _joined,
    "aten.stack.default": _stacked,
    "aten.slice.Tensor": _slice,
    "aten.slice_scatter.default": _exchanged,
    "aten.as_strided.default": _windows,
    "aten.split.Tensor": _split,
    "aten.split_with_sizes.default": _split,
    "aten.select.int": _selected,
    "aten.index_select.default": _index_select,
    "aten.constant_pad_nd.default": _padded,
    "aten.reflection_pad1d.default": _reflected,
    "aten.replication_pad1d.default": _held,
    **dict.fromkeys([f"aten.{n}.default" for n in ("zeros", "zeros_like", "new_zeros")], _filled(0.0)),
    **dict.fromkeys([f"aten.{n}.default" for n in ("ones", "ones_like", "new_ones")], _filled(1.0)),
    **dict.fromkeys(["aten.full.default", "aten.full_like.default"], _full),
    **dict.fromkeys([f"aten.arange.{n}" for n in ("default", "start", "start_step")], _range),
    **dict.fromkeys([f"aten.{n}.default" for n in ("rand", "rand_like")], _noise("RandomUniformLike")),
    **dict.fromkeys([f"aten.{n}.default" for n in ("randn", "randn_like")], _noise("RandomNormalLike")),
}  # fmt: skip
"""What writes an operation, by its name."""
