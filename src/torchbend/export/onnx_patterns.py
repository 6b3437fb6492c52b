"""What nodes of an ONNX graph are and do, for those that rewrite it."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

__all__ = ["END", "array", "attribute", "bounds", "overlap", "rank"]

END = 2**63 - 1
"""As the end of a part: all of it."""


def overlap(node: ir.Node, stride: int) -> tuple[ir.Value, list[ir.Node], ir.Value, ir.Value] | None:
    """What a stream does with the output of a transposed convolution.

    Returns:
        The state; the nodes; what is finished; what is the new state. None where it is something else.
    """
    users = [use.node for use in node.outputs[0].uses()]
    parts = {bounds(user): user for user in users}
    first, rest = parts.get((0, stride)), parts.get((stride, END))
    if first is None or rest is None or len(users) != 2:
        return None
    added, joined = _only(first), _only(rest)
    if added is None or joined is None or added.op_type != "Add" or _only(added) is not joined:
        return None
    if joined.op_type != "Concat" or list(joined.inputs) != [added.outputs[0], rest.outputs[0]]:
        return None
    ends = {bounds(use.node): use.node for use in joined.outputs[0].uses()}
    if set(ends) != {(0, -stride), (-stride, END)} or len(joined.outputs[0].uses()) != 2:
        return None
    state = added.inputs[0] if added.inputs[1] is first.outputs[0] else added.inputs[1]
    finished, waiting = ends[0, -stride], ends[-stride, END]
    if state is None or attribute(joined, "axis", 0) not in (2, -1):
        return None
    nodes = [first, rest, added, joined, finished, waiting]
    return state, nodes, finished.outputs[0], waiting.outputs[0]


def _only(node: ir.Node) -> ir.Node | None:
    """The only node that takes the node's output."""
    users = {use.node for use in node.outputs[0].uses()}
    return users.pop() if len(users) == 1 else None


def bounds(node: ir.Node) -> tuple[int, int] | None:
    """Bounds of a part along time, each step of it."""
    if node.op_type != "Slice" or len(node.inputs) < 4:
        return None
    start, end, axis, *step = [array(value) for value in node.inputs[1:]]
    if any(a is None or a.size != 1 for a in (start, end, axis, *step)):
        return None
    if axis.item() not in (2, -1) or any(a.item() != 1 for a in step):
        return None
    return start.item(), min(end.item(), END)


def array(value: ir.Value | None) -> Any:
    """The numbers of a constant; None for what is computed."""
    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def attribute(node: ir.Node, name: str, default: Any) -> Any:
    """An attribute of a node, or what it is by default."""
    found = node.attributes.get(name)
    return default if found is None else found.value


def rank(value: ir.Value) -> int | None:
    """How many dimensions a value has, where that is known."""
    return None if value.shape is None else len(value.shape)
