"""Copies of a captured graph that end earlier, start later, or hold callbacks.

The bent model needs none of them: its own code runs. They are for looking at graphs, and for running a part
of one as a ``torch.fx.GraphModule``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import fx

from torchbend.capture.graph import CapturedGraph, FlowStep
from torchbend.errors import SiteNotFoundError

__all__ = ["graph_from_activations", "graph_get_activations", "graph_insert_callbacks"]

Known = dict[fx.Node, fx.Node]


def graph_insert_callbacks(
    graph: fx.Graph, callbacks: Mapping[str, Any], verbose: bool = False, fn: str = "forward"
) -> fx.Graph:
    """A copy with a node ``<name>_bended`` behind each bent activation, which all of its users take instead.

    The new node calls the module ``<fn>_<name>_callback``: the ``GraphModule`` that runs it has to hold it.

    Args:
        graph: any graph.
        callbacks: what bends which activation, by the names of nodes.
        verbose: print the names of the new nodes.
        fn: name of the method.

    Raises:
        SiteNotFoundError: the graph has no node of a name.
    """
    _nodes(graph, callbacks)
    made, known = CapturedGraph(), Known()
    for node in graph.nodes:
        copied = made.node_copy(node, lambda n: known[n])
        if node.name in callbacks:
            target, name = f"{fn}_{node.name}_callback", f"{node.name}_bended"
            copied = made.create_node("call_module", target, (copied,), name=name)
            if verbose:
                print(name)  # noqa: T201  asked for
        known[node] = copied
    return made


def graph_get_activations(graph: fx.Graph, activations: Iterable[str]) -> fx.Graph:
    """A copy that ends at the last of the given activations, and returns them as a tuple.

    Raises:
        SiteNotFoundError: the graph has no node of a name.
    """
    wanted = _nodes(graph, activations)
    made, known = CapturedGraph(), Known()
    for node in graph.nodes:
        known[node] = made.node_copy(node, lambda n: known[n])
        if all(w in known for w in wanted):
            break
    made.output(tuple(known[w] for w in wanted))
    _keep_steps(graph, made, known)
    return made


def graph_from_activations(
    graph: fx.Graph, activations: Iterable[str], remove_placeholders: bool = True
) -> fx.Graph:
    """A copy that takes the given activations as inputs, and runs what depends on them.

    Args:
        graph: any graph.
        activations: names of nodes; they become the first inputs, in this order.
        remove_placeholders: drop the inputs that are not needed any more.

    Raises:
        SiteNotFoundError: the graph has no node of a name.
    """
    given = _nodes(graph, activations)
    needed = _needed_nodes(graph, given)
    made, known = CapturedGraph(), Known()
    for node in given:
        known[node] = made.placeholder(node.name)
    for node in graph.nodes:
        wanted = node in needed or (node.op == "placeholder" and not remove_placeholders)
        if wanted and node not in known:
            known[node] = made.node_copy(node, lambda n: known[n])
    _keep_steps(graph, made, known)
    return made


def _needed_nodes(graph: fx.Graph, given: Iterable[fx.Node]) -> set[fx.Node]:
    """The nodes that the output needs, going back no further than the ``given`` ones.

    Nodes that only write into a value (nothing uses their result) count with what they write into.
    """
    stops = set(given)
    needed: set[fx.Node] = set()
    writers = [n for n in graph.nodes if n.op not in ("placeholder", "output") and not n.users]
    waiting = [n for n in graph.nodes if n.op == "output"]
    while waiting:
        node = waiting.pop()
        if node in needed:
            continue
        needed.add(node)
        if node not in stops:
            waiting.extend(node.all_input_nodes)
            waiting.extend(w for w in writers if node in w.all_input_nodes and w not in needed)
    return needed


def _nodes(graph: fx.Graph, names: Iterable[str]) -> list[fx.Node]:
    known = {node.name: node for node in graph.nodes}
    missing = [name for name in names if name not in known]
    if missing:
        raise SiteNotFoundError(
            f"the graph has no node {missing[0]!r}",
            site=missing[0],
            next_step="print_graph() lists the nodes",
        )
    return [known[name] for name in names]


def _keep_steps(graph: fx.Graph, made: CapturedGraph, known: Known) -> None:
    """Take over the flow steps whose nodes are still there."""
    for step in getattr(graph, "flow_steps", []):
        used: list[fx.Node] = []
        fx.node.map_arg(step.args, used.append)
        if all(n in known for n in used) and (step.after is None or step.after in known):
            args = fx.node.map_arg(step.args, lambda n: known[n])
            after = None if step.after is None else known[step.after]
            made.flow_steps.append(FlowStep(step.kind, step.target, args, step.expected, after, step.source))
