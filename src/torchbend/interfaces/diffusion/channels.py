"""Where the channels of tokens are: images have them in dimension 1, tokens in the last one."""

from __future__ import annotations

from collections.abc import Mapping

from torch import fx, nn

from torchbend.capture import Capture

__all__ = ["channels_of"]

_FIRST = (nn.GroupNorm, nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.InstanceNorm1d)
_TURNS = ("transpose", "swapaxes", "permute")
_FLATTENS = ("flatten", "view", "reshape")


def channels_of(module: nn.Module, captures: Mapping[str, Capture]) -> dict[tuple[str, str], int]:
    """The dimension of the channels of activations ``[B, tokens, C]``, by method and activation.

    Where such a tensor is an image that was flattened (``[B, C, H, W]`` to ``[B, C, H * W]``), or is made of
    one, dimension 1 holds the channels until the tensor is turned.

    Args:
        module: whose methods were captured.
        captures: the captures by method.
    """
    parts = dict(module.named_modules())
    found: dict[tuple[str, str], int] = {}
    for method, capture in captures.items():
        shapes = {name: tuple(a.shape) for name, a in capture.activations.items()}
        known: dict[str, int] = {}
        for node in capture.graph.nodes:
            if len(shapes.get(node.name, ())) == 3:
                known[node.name] = _channels(node, parts, shapes, known)
        found |= {(method, name): dim for name, dim in known.items()}
    return found


def _channels(
    node: fx.Node,
    parts: Mapping[str, nn.Module],
    shapes: Mapping[str, tuple[int, ...]],
    known: Mapping[str, int],
) -> int:
    if node.op == "call_module":
        return 1 if isinstance(parts.get(str(node.target)), _FIRST) else -1
    source = next(iter(node.all_input_nodes), None)
    if source is None:
        return -1
    before, after = shapes.get(source.name, ()), shapes[node.name]
    if node.target in _TURNS and source.name in known and after == (before[0], before[2], before[1]):
        return -1 if known[source.name] == 1 else 1
    if node.target in _FLATTENS and len(before) > 3:
        # an image becomes tokens by being turned; what heads found is put together, and stays as it is
        return 1 if before[1] == after[1] and any(user.target in _TURNS for user in node.users) else -1
    return known.get(source.name, -1) if before == after else -1
