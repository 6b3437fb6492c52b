"""Time before channels: convolutions of an ONNX graph as products of matrices.

onnxruntime's convolution is slow on the few frames of a block: it reads a kernel twice as often as it has
to. Its product of matrices packs the weights when a file is opened and reads them once. So signals ``[B, C,
T]`` become rows ``[B, T, C]``, taps become rows side by side, and a block of a stream costs little more than
reading the weights. States are kept as rows too. What has no counterpart here stays as it is, behind a
transposition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from torchbend.export.onnx_patterns import END, array, attribute, bounds, overlap, rank

__all__ = ["to_rows"]

_UNARY = {
    "LeakyRelu", "Tanh", "Sigmoid", "Relu", "Elu", "Sin", "Cos", "Exp", "Neg", "Abs", "Sqrt", "Softplus",
    "Erf", "Reciprocal", "Identity", "Log", "Cast", "Sign", "Gelu",
}  # fmt: skip
_BINARY = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min"}
_FEWEST_CHANNELS = 8
_MOST_TAPS = 16
_MOST_GROUPS = 4
_TURN = (0, 2, 1)


def to_rows(model: ir.Model) -> set[str]:
    """Rewrite the graph where it gains by it.

    Args:
        model: changed in place. Inputs called ``state.<name>`` belong to outputs ``next.<name>``.

    Returns:
        Names of the states that are rows now: ``[B, T, C]`` where the model has ``[B, C, T]``.
    """
    return _Rewrite(model.graph).run()


class _Rewrite:
    """One pass over a graph, from its inputs to its outputs; what was exchanged is left to be swept out."""

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self.rows: dict[ir.Value, ir.Value] = {}
        self.turned_back: dict[ir.Value, ir.Value] = {}
        self.taps: dict[ir.Value, tuple[ir.Value, int]] = {}
        self.at: ir.Node | None = None
        self.count = 0
        self.done: set[ir.Node] = set()
        self.states = {
            v.name: v for v in graph.inputs if v.name and v.name.startswith("state.") and rank(v) == 3
        }
        self.handlers: dict[str, Callable[[ir.Node], ir.Value | None]] = {
            "Conv": self._conv, "ConvTranspose": self._conv_transpose, "Concat": self._concat,
            "Slice": self._slice, "BatchNormalization": self._affine, "Reshape": self._stacked,
            **dict.fromkeys(_UNARY, self._unary), **dict.fromkeys(_BINARY, self._binary),
        }  # fmt: skip

    def run(self) -> set[str]:
        """Do it; gives the states that are rows."""
        outputs = {v.name: k for k, v in enumerate(self.graph.outputs)}
        for node in list(self.graph):
            if node in self.done:
                continue
            self.at = node
            handler = self.handlers.get(node.op_type) if node.domain == "" else None
            made = handler(node) if handler is not None else None
            if made is not None:
                self.rows[node.outputs[0]] = made
            elif node.op_type == "Shape" and node.inputs[0] in self.rows:
                self._shape(node)
            elif made is None:
                for k, value in enumerate(node.inputs):
                    if value is not None and value in self.rows and value not in self.taps:
                        node.replace_input_with(k, self._channels(value))
        self.at = None
        found = set()
        for name in self.states:
            after = self.graph.outputs[outputs[f"next.{name.removeprefix('state.')}"]]
            if after in self.rows:
                found.add(name.removeprefix("state."))
        return self._finish(found)

    def _finish(self, found: set[str]) -> set[str]:
        for k, value in enumerate(list(self.graph.outputs)):
            if value not in self.rows:
                continue
            name, rows = value.name or "", self.rows[value]
            keep_rows = name.startswith("next.") and name.removeprefix("next.") in found
            made = (
                self._op("Identity", [rows]) if keep_rows else self._op("Transpose", [rows], perm=list(_TURN))
            )
            made.type = value.type
            value.name = f"{name}.unused"
            made.name = name
            self.graph.outputs[k] = made
        for name in found:
            self._state_as_rows(self.states[f"state.{name}"])
        return found

    def _state_as_rows(self, state: ir.Value) -> None:
        """Take the state as rows; what still wants channels first turns it."""
        shape = [state.shape[k] for k in _TURN] if state.shape is not None else None
        turning = [u.node for u in list(state.uses()) if u.node.op_type == "Transpose"]
        others = [u for u in list(state.uses()) if u.node not in turning]
        for node in turning:
            for use in list(node.outputs[0].uses()):
                use.node.replace_input_with(use.idx, state)
        if others:
            back = ir.node("Transpose", [state], {"perm": list(_TURN)})
            self.graph.insert_before(next(iter(self.graph)), back)
            for use in others:
                use.node.replace_input_with(use.idx, back.outputs[0])
        state.shape = ir.Shape(shape) if shape is not None else None

    # -- values ----------------------------------------------------------------------------------------------

    def _op(self, kind: str, inputs: Sequence[ir.Value | None], **attributes: Any) -> ir.Value:
        node = ir.node(kind, inputs, attributes)
        self.count += 1
        node.outputs[0].name = f"rows_{self.count}"
        if self.at is None:
            self.graph.append(node)
        else:
            self.graph.insert_before(self.at, node)
        return node.outputs[0]

    def _constant(self, array: Any) -> ir.Value:
        self.count += 1
        name = f"rows_{self.count}"
        value = ir.Value(name=name, const_value=ir.tensor(np.ascontiguousarray(array), name=name))
        self.graph.register_initializer(value)
        return value

    def _whole(self, *numbers: int) -> ir.Value:
        return self._constant(np.array(numbers, dtype=np.int64))

    def _row(self, value: ir.Value) -> ir.Value:
        """The value as rows."""
        if value not in self.rows:
            self.rows[value] = self._op("Transpose", [value], perm=list(_TURN))
        return self.rows[value]

    def _channels(self, value: ir.Value) -> ir.Value:
        """A value that is held as rows, with the channels first again."""
        if value not in self.turned_back:
            self.turned_back[value] = self._op("Transpose", [self.rows[value]], perm=list(_TURN))
        return self.turned_back[value]

    # -- operations ------------------------------------------------------------------------------------------

    def _conv(self, node: ir.Node) -> ir.Value | None:
        x, kernel = node.inputs[0], array(node.inputs[1])
        bias = node.inputs[2] if len(node.inputs) > 2 else None
        groups = attribute(node, "group", 1)
        if x is None or kernel is None or kernel.ndim != 3 or groups > _MOST_GROUPS:
            return None
        if any(attribute(node, "pads", [0])) or (bias is not None and array(bias) is None):
            return None
        outputs, channels, taps = kernel.shape
        if x in self.taps:
            if taps != 1 or groups > 1:
                return None
            rows, taps = self.taps[x]
            kernel = kernel.reshape(outputs, channels // taps, taps)
        elif channels < _FEWEST_CHANNELS or taps > _MOST_TAPS:
            return None
        else:
            stride, dilation = attribute(node, "strides", [1])[0], attribute(node, "dilations", [1])[0]
            rows = self._windows(self._row(x), taps, stride, dilation)
        made = self._product(rows, kernel, groups)
        offset = None if bias is None else array(bias)
        return made if offset is None or not offset.any() else self._op("Add", [made, self._constant(offset)])

    def _product(self, rows: ir.Value, kernel: Any, groups: int) -> ir.Value:
        """Rows of taps side by side, times the kernel; groups of channels do not see each other."""
        outputs, channels, taps = kernel.shape
        if groups == 1:
            matrix = kernel.transpose(2, 1, 0).reshape(-1, outputs)
            return self._op("MatMul", [rows, self._constant(matrix)])
        made = []
        for group, part in enumerate(np.split(kernel, groups)):
            columns = np.arange(taps)[:, None] * (groups * channels) + group * channels + np.arange(channels)
            own = self._op("Gather", [rows, self._constant(columns.reshape(-1))], axis=2)
            matrix = part.transpose(2, 1, 0).reshape(-1, outputs // groups)
            made.append(self._op("MatMul", [own, self._constant(matrix)]))
        return self._op("Concat", made, axis=2)

    def _windows(self, rows: ir.Value, taps: int, stride: int, dilation: int) -> ir.Value:
        """Under each output, the rows that it sees, side by side."""
        if taps == 1 and stride == 1:
            return rows
        axis, step = self._whole(1), self._whole(stride)
        parts = []
        for k in range(taps):
            behind = (taps - 1 - k) * dilation
            end = self._whole(-behind if behind else END)
            joined = None if behind or stride > 1 else self._newest(rows, k * dilation)
            parts.append(joined or self._op("Slice", [rows, self._whole(k * dilation), end, axis, step]))
        return parts[0] if taps == 1 else self._op("Concat", parts, axis=2)

    def _newest(self, rows: ir.Value, start: int) -> ir.Value | None:
        """All rows from a place on, where this is the block that was put behind a cache of the past."""
        joined = rows.producer()
        if joined is None or joined.op_type != "Concat" or attribute(joined, "axis", 0) != 1:
            return None
        past = joined.inputs[0]
        state = None if past is None else self.states.get(past.name or "") or self._turned_state(past)
        if len(joined.inputs) != 2 or state is None or state.shape is None or state.shape[2] != start:
            return None
        return joined.inputs[1]

    def _turned_state(self, rows: ir.Value) -> ir.Value | None:
        """The state that these rows are."""
        return next((state for state in self.states.values() if self.rows.get(state) is rows), None)

    def _conv_transpose(self, node: ir.Node) -> ir.Value | None:
        x, kernel = node.inputs[0], array(node.inputs[1])
        if x is None or x in self.taps or kernel is None or kernel.ndim != 3 or len(node.inputs) > 2:
            return None
        stride = attribute(node, "strides", [1])[0]
        plain = not any(attribute(node, "pads", [0])) and attribute(node, "group", 1) == 1
        plain = plain and not any(attribute(node, "output_padding", [0]))
        inputs, outputs, taps = kernel.shape
        if not plain or taps != 2 * stride or inputs < _FEWEST_CHANNELS:
            return None
        matrix = kernel.transpose(0, 2, 1).reshape(inputs, 2, stride * outputs)
        rows = self._row(x)
        early = self._op("MatMul", [rows, self._constant(matrix[:, 0])])
        late = self._op("MatMul", [rows, self._constant(matrix[:, 1])])
        if self._overlapped(node, early, late, stride, outputs):
            return None
        early = self._op("Pad", [early, self._whole(0, 0, 0, 0, 1, 0)])
        late = self._op("Pad", [late, self._whole(0, 1, 0, 0, 0, 0)])
        return self._op("Reshape", [self._op("Add", [early, late]), self._whole(0, -1, outputs)])

    def _overlapped(self, node: ir.Node, early: ir.Value, late: ir.Value, stride: int, channels: int) -> bool:
        """Add halves of frames over each other as a stream does: the last late half waits as the state.

        Looks for what the model does with the output: its first frames and the state are added, the rest is
        put behind, the last frames are the new state.
        """
        found = overlap(node, stride)
        if found is None:
            return False
        state, nodes, finished, waiting = found
        past = self._op("Reshape", [self._row(state), self._whole(0, 1, stride * channels)])
        before = self._op("Concat", [past, late], axis=1)
        axis, shape = self._whole(1), self._whole(0, -1, channels)
        earlier = self._op("Slice", [before, self._whole(0), self._whole(-1), axis])
        self.rows[finished] = self._op("Reshape", [self._op("Add", [early, earlier]), shape])
        newest = self._op("Slice", [before, self._whole(-1), self._whole(END), axis])
        self.rows[waiting] = self._op("Reshape", [newest, shape])
        self.done.update(nodes)
        return True

    def _affine(self, node: ir.Node) -> ir.Value | None:
        """A normalisation by numbers that stand still: a factor and an offset for each channel."""
        x, given = node.inputs[0], [array(v) for v in node.inputs[1:]]
        if x is None or x not in self.rows or x in self.taps or any(a is None for a in given):
            return None
        scale, bias, mean, var = given
        factor = scale / np.sqrt(var + attribute(node, "epsilon", 1e-5))
        made = self._scaled(x, factor.astype(scale.dtype))
        if made is not None:
            return self._op("Add", [made, self._constant((bias - mean * factor).astype(scale.dtype))])
        made = self._op("Mul", [self.rows[x], self._constant(factor.astype(scale.dtype))])
        return self._op("Add", [made, self._constant((bias - mean * factor).astype(scale.dtype))])

    def _scaled(self, x: ir.Value, factor: Any) -> ir.Value | None:
        """A product of matrices with a factor for each channel, where nobody else wants the product."""
        product = self.rows[x].producer()
        matrix = None if product is None or product.op_type != "MatMul" else array(product.inputs[1])
        if product is None or matrix is None or len(x.uses()) != 1 or self.rows[x].uses():
            return None
        return self._op("MatMul", [product.inputs[0], self._constant(matrix * factor)])

    def _concat(self, node: ir.Node) -> ir.Value | None:
        values = [v for v in node.inputs if v is not None]
        axis = attribute(node, "axis", 0)
        if (
            not any(v in self.rows for v in values)
            or any(v in self.taps for v in values)
            or rank(values[0]) == 4
        ):
            return None
        turned = {1: 2, 2: 1, -1: 1, -2: 2}.get(axis)
        return None if turned is None else self._op("Concat", [self._row(v) for v in values], axis=turned)

    def _slice(self, node: ir.Node) -> ir.Value | None:
        x = node.inputs[0]
        if x is None or x not in self.rows or x in self.taps or len(node.inputs) < 4:
            return None
        axes = array(node.inputs[3])
        turned = None if axes is None or axes.size != 1 else {1: 2, 2: 1, -1: 1, -2: 2}.get(int(axes[0]))
        if turned is None:
            return None
        known = bounds(node)
        newest = self._newest(self.rows[x], known[0]) if known is not None and known[1] == END else None
        if newest is not None:
            return newest
        return self._op("Slice", [self.rows[x], *node.inputs[1:3], self._whole(turned), *node.inputs[4:]])

    def _stacked(self, node: ir.Node) -> ir.Value | None:
        """Taps that the model has put side by side itself: a stack along a new axis, made flat."""
        above = node.inputs[0].producer() if node.inputs[0] is not None else None
        if above is None or above.op_type != "Concat" or attribute(above, "axis", 0) != 2:
            return None
        parts = []
        for value in above.inputs:
            single = value.producer() if value is not None else None
            axes = array(single.inputs[1]) if single is not None and single.op_type == "Unsqueeze" else None
            if single is None or axes is None or axes.tolist() != [2] or single.inputs[0] is None:
                return None
            parts.append(self._source(single.inputs[0]))
        if not all(part in self.rows for part in parts):
            return None
        uses = node.outputs[0].uses()
        if any(u.node.op_type != "Conv" or u.idx != 0 for u in uses) or node.outputs[0] in self.graph.outputs:
            return None
        made = self._op("Concat", [self.rows[p] for p in parts], axis=2)
        self.taps[node.outputs[0]] = (made, len(parts))
        return made

    def _source(self, value: ir.Value) -> ir.Value:
        """The value that a transposition made here stands for."""
        return next((v for v, back in self.turned_back.items() if back is value), value)

    def _unary(self, node: ir.Node) -> ir.Value | None:
        x = node.inputs[0]
        if x is None or x not in self.rows or x in self.taps or len(node.inputs) > 1:
            return None
        made = ir.node(node.op_type, [self.rows[x]], node.attributes)
        self.count += 1
        made.outputs[0].name = f"rows_{self.count}"
        self.graph.insert_before(node, made)
        return made.outputs[0]

    def _binary(self, node: ir.Node) -> ir.Value | None:
        values = [v for v in node.inputs if v is not None]
        if not any(v in self.rows for v in values) or any(v in self.taps for v in values):
            return None
        turned = []
        for value in values:
            constant = array(value)
            if value in self.rows or rank(value) == 3:
                turned.append(self._row(value))
            elif constant is not None and constant.size == 1 or rank(value) == 0:
                turned.append(value)
            elif constant is not None and constant.ndim == 2:
                turned.append(self._constant(constant.T))
            elif rank(value) == 2:
                turned.append(self._op("Transpose", [value], perm=[1, 0]))
            else:
                return None
        return self._op(node.op_type, turned)

    def _shape(self, node: ir.Node) -> None:
        start, end = attribute(node, "start", 0), attribute(node, "end", None)
        places = {(2, 3): (1, 2), (1, 2): (2, 3), (0, 1): (0, 1), (2, None): (1, 2)}
        x = node.inputs[0]
        if x is None or (start, end) not in places or x in self.taps:
            if x is not None and x not in self.taps:
                node.replace_input_with(0, self._channels(x))
            return
        first, last = places[start, end]
        made = self._op("Shape", [self.rows[x]], start=first, end=last)
        for use in list(node.outputs[0].uses()):
            use.node.replace_input_with(use.idx, made)
