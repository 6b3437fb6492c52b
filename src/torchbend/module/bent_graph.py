"""A captured graph that shows its bends as nodes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import fx

from torchbend.bending.bends import AppliedBend
from torchbend.capture import Capture, CapturedGraph

__all__ = ["bent_graph"]


def bent_graph(capture: Capture, bends: Sequence[AppliedBend]) -> fx.Graph:
    """A copy of the graph with a node ``<name>_bended`` behind each bent activation.

    The nodes call ``bending_callbacks.<k>``, where k counts the bends. A bent part of a tuple is shown behind
    the whole.
    """
    by_node: dict[str, list[int]] = {}
    for index, bend in enumerate(bends):
        for fn, name in bend.activations:
            if fn == capture.method:
                indices = by_node.setdefault(capture.node(name).name, [])
                indices.append(index)
    graph = CapturedGraph()
    graph.flow_steps = list(capture.graph.flow_steps)
    known: dict[fx.Node, fx.Node] = {}
    for node in capture.graph.nodes:
        copied = graph.node_copy(node, lambda n: known[n])
        for index in by_node.get(node.name, ()):
            name = f"{node.name}_bended"
            copied = graph.create_node("call_module", f"bending_callbacks.{index}", (copied,), name=name)
        known[node] = copied
    return graph
